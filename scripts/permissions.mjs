// `npm run permissions`: writes docs/permissions.md. With `--check`: fails when the committed page is not what the code says.
import { keepGenerated } from './generated-file.mjs';

keepGenerated({
  file: 'docs/permissions.md',
  command: 'permissions',
  script: 'permissions',
  describe: (text) => {
    const operations = text.match(/^\| `/gm)?.length ?? 0;
    return operations > 0 ? `${operations} operations` : undefined;
  },
});
