import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);
const BINARIES = [
  'radosgw',
  'radosgw-admin',
  'ceph-mon',
  'ceph-mgr',
  'ceph-osd',
  'ceph',
  'ceph-authtool',
  'monmaptool',
];
const READY_MS = 90_000;
const DAEMONS = ['client.rgw', 'osd.0', 'mgr.x', 'mon.a'];

interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
}

export interface CephGateway {
  endpoint: string;
  credentials: Credentials;
  /** Makes another user, who owns nothing and may do what a bucket's policy allows `arn:aws:iam:::user/<uid>`. */
  addUser(uid: string): Promise<Credentials>;
  /** Ends the daemons by their process ids and removes the cluster. */
  stop(): Promise<void>;
}

/** True when everything a one-node Ceph cluster with an S3 gateway needs is installed. */
export function cephInstalled(): boolean {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return BINARIES.every((binary) => folders.some((folder) => isExecutable(join(folder, binary))));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts a throw-away Ceph cluster of one node on the loopback interface, in a temporary directory: a monitor, a
 * manager, one OSD on a sparse file, and the RADOS gateway. Takes about 20 seconds.
 */
export async function startCeph(): Promise<CephGateway> {
  const home = await mkdtemp(join(tmpdir(), 'ceph-'));
  const stop = async (): Promise<void> => {
    for (const daemon of DAEMONS) await endDaemon(join(home, `${daemon}.pid`));
    await rm(home, { recursive: true, force: true });
  };
  try {
    return { ...(await boot(home)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function boot(home: string): Promise<Omit<CephGateway, 'stop'>> {
  for (const folder of ['mon', 'osd', 'mgr', 'rgw', 'log', 'sock']) await mkdir(join(home, folder));
  const [port, v1, v2] = await freePorts(3);
  const fsid = randomUUID();
  const conf = join(home, 'ceph.conf');
  const keyring = join(home, 'keyring');
  const monmap = join(home, 'monmap');
  const monitors = `[v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}]`;
  await writeFile(conf, configuration(home, fsid, monitors, port!));

  const key = (name: string, ...caps: string[]): Promise<unknown> =>
    run('ceph-authtool', [
      keyring,
      '--gen-key',
      '-n',
      name,
      ...caps.flatMap((cap) => ['--cap', ...cap.split('=')]),
    ]);
  await run('ceph-authtool', ['-C', keyring, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *']);
  await key('client.admin', 'mon=allow *', 'osd=allow *', 'mgr=allow *');
  await key('client.rgw', 'mon=allow rwx', 'osd=allow rwx', 'mgr=allow *');
  await key('mgr.x', 'mon=allow profile mgr', 'osd=allow *');
  await key('osd.0', 'mon=allow profile osd', 'osd=allow *', 'mgr=allow profile osd');
  await run('monmaptool', ['--create', '--clobber', '--addv', 'a', monitors, '--fsid', fsid, monmap]);
  await run('ceph-mon', ['-c', conf, '-i', 'a', '--mkfs', '--monmap', monmap, '--keyring', keyring]);
  await run('ceph-mon', ['-c', conf, '-i', 'a']);
  await run('ceph-mgr', ['-c', conf, '-i', 'x']);
  const osd = randomUUID();
  await run('ceph', ['-c', conf, 'osd', 'new', osd]);
  await run('ceph-osd', ['-c', conf, '-i', '0', '--mkfs', '--osd-uuid', osd]);
  await run('ceph-osd', ['-c', conf, '-i', '0']);
  await until(async () => (await run('ceph', ['-c', conf, 'osd', 'stat'])).stdout.includes('1 up'));
  await run('radosgw', ['-c', conf, '-n', 'client.rgw']);
  const endpoint = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(endpoint)).ok);
  const addUser = async (uid: string): Promise<Credentials> => {
    const made = { accessKeyId: `${uid}key`, secretAccessKey: `${uid}secret` };
    const keys = [`--access-key=${made.accessKeyId}`, `--secret-key=${made.secretAccessKey}`];
    await run('radosgw-admin', [
      '-c',
      conf,
      'user',
      'create',
      `--uid=${uid}`,
      `--display-name=${uid}`,
      ...keys,
    ]);
    return made;
  };
  return { endpoint, credentials: await addUser('contract'), addUser };
}

function configuration(home: string, fsid: string, monitors: string, port: number): string {
  return `[global]
fsid = ${fsid}
mon_host = ${monitors}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
keyring = ${home}/keyring
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_max_pg_per_osd = 1000
auth_allow_insecure_global_id_reclaim = false
osd_crush_chooseleaf_type = 0
ms_bind_ipv6 = false
ms_bind_port_min = 16800
ms_bind_port_max = 16899
admin_socket = ${home}/sock/$name.asok
log_file = ${home}/log/$name.log
run_dir = ${home}
pid_file = ${home}/$name.pid
crash_dir = ${home}
mon_data_avail_crit = 1
mon_data_avail_warn = 2
[mon.a]
mon_data = ${home}/mon
[mgr.x]
mgr_data = ${home}/mgr
[osd.0]
osd_data = ${home}/osd
osd_objectstore = bluestore
bluestore_block_size = 21474836480
osd_memory_target = 1073741824
[client.rgw]
rgw_data = ${home}/rgw
rgw_frontends = beast endpoint=127.0.0.1:${port}
rgw_crypt_require_ssl = false
`;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function until(ready: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (!(await ready().catch(() => false))) {
    if (Date.now() > deadline) throw new Error('Ceph did not become ready');
    await pause(300);
  }
}

async function endDaemon(pidFile: string): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''));
  if (!pid) return;
  for (const [signal, waits] of [
    ['SIGTERM', 50],
    ['SIGKILL', 50],
  ] as const) {
    for (let i = 0; i < waits; i++) {
      try {
        process.kill(pid, i === 0 ? signal : 0);
      } catch {
        return; // gone
      }
      await pause(100);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
