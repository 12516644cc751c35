// Property tests try the same inputs in each run, so that a run that fails tells about the change. Others: FC_SEED=<number>.
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env.FC_SEED ?? 20261121) });
