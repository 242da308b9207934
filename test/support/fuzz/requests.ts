import type { Random } from './random';
import { mutate, oddString, oddValue, write } from './values';

/** One operation of the API, as the daemon's own route table has it. */
export interface FuzzRoute {
  readonly method: string;
  readonly path: string;
  /** Names of query parameters; a mixture of all when unknown. */
  readonly query?: readonly string[];
  /** A body that is right. */
  readonly body?: unknown;
}

export interface FuzzRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly string[];
  readonly body: Buffer | undefined;
}

/** Query parameters of the API, for routes whose own are not known. */
const queryNames = `all limit size filters name platform since until stdout stderr tail follow timestamps details stream
  stdin logs detachKeys signal t h w condition path noOverwriteDirNonDir copyUIDGID force v link noprune digests
  shared-size manifests fromSrc repo tag message changes quiet names container comment author pause ps_args one-shot type
  verbose scope dockerfile nocache rm forcerm memory buildargs labels target term dangling`.split(/\s+/);

const create = {
  Image: 'busybox',
  Cmd: ['cat'],
  Entrypoint: null,
  Env: ['A=1', 'B'],
  Labels: { fuzz: '1' },
  WorkingDir: '/work',
  User: 'root',
  Hostname: 'h',
  Domainname: '',
  Tty: false,
  OpenStdin: true,
  StdinOnce: false,
  AttachStdout: true,
  StopSignal: 'SIGKILL',
  StopTimeout: 1,
  ExposedPorts: { '80/tcp': {} },
  Volumes: { '/anonymous': {} },
  Healthcheck: { Test: ['CMD', 'true'], Interval: 1e9, Timeout: 1e9, Retries: 1, StartPeriod: 0 },
  HostConfig: {
    Memory: 16 << 20,
    MemorySwap: -1,
    MemoryReservation: 0,
    MemorySwappiness: null,
    CpuShares: 512,
    NanoCpus: 100_000_000,
    CpusetCpus: '0',
    PidsLimit: 64,
    ShmSize: 1 << 20,
    OomScoreAdj: 0,
    NetworkMode: 'bridge',
    PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    AutoRemove: false,
    Binds: ['fuzzvolume:/data:ro'],
    Mounts: [{ Type: 'volume', Source: 'fuzzvolume', Target: '/mounted', ReadOnly: false, VolumeOptions: {} }],
    Tmpfs: { '/scratch': 'size=64k' },
    Ulimits: [{ Name: 'nofile', Soft: 64, Hard: 128 }],
    LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
    CapAdd: ['NET_ADMIN'],
    CapDrop: ['MKNOD'],
    Dns: ['127.0.0.1'],
    DnsOptions: [],
    ExtraHosts: ['a:127.0.0.1'],
    GroupAdd: ['1'],
    IpcMode: 'private',
    PidMode: '',
    UTSMode: '',
    SecurityOpt: ['no-new-privileges'],
    Sysctls: {},
    ReadonlyRootfs: false,
    Init: false,
    Runtime: 'runc',
    ConsoleSize: [24, 80],
    Annotations: { a: 'b' },
    BlkioWeight: 0,
    BlkioDeviceReadBps: [],
    Devices: [],
    DeviceRequests: null,
    DeviceCgroupRules: [],
    StorageOpt: {},
  },
  NetworkingConfig: {
    EndpointsConfig: { bridge: { Aliases: ['x'], IPAMConfig: {}, Links: [], DriverOpts: {}, MacAddress: '' } },
  },
};

/** A right body for routes that take one. */
const bodies: Readonly<Record<string, unknown>> = {
  '/containers/create': create,
  '/containers/{id}/update': { Memory: 32 << 20, CpuShares: 256, RestartPolicy: { Name: 'no' }, PidsLimit: 99 },
  '/containers/{id}/exec': { Cmd: ['cat'], AttachStdin: true, AttachStdout: true, Tty: false, Env: ['A=1'], User: '0' },
  '/exec/{id}/start': { Detach: false, Tty: false, ConsoleSize: [24, 80] },
  '/networks/create': {
    Name: 'fuzznet',
    Driver: 'bridge',
    Internal: false,
    Attachable: true,
    EnableIPv6: false,
    IPAM: { Driver: 'default', Config: [{ Subnet: '10.231.77.0/28', Gateway: '10.231.77.1', AuxiliaryAddresses: {} }] },
    Options: { 'com.docker.network.bridge.enable_icc': 'true' },
    Labels: { fuzz: '1' },
  },
  '/networks/{id}/connect': { Container: 'one', EndpointConfig: { IPAMConfig: {}, Aliases: ['y'] } },
  '/networks/{id}/disconnect': { Container: 'one', Force: true },
  '/volumes/create': { Name: 'fuzzvolume', Driver: 'local', DriverOpts: {}, Labels: { fuzz: '1' } },
  '/commit': { Cmd: ['true'], Labels: {} },
};

const names = ['one', 'two', 'fuzznet', 'fuzzvolume', 'busybox', 'bridge', 'f'.repeat(64), 'a/b', 'sha256:0'];

/** Paths whose work reaches out of this machine. */
const farAway = /^\/(auth|distribution|images\/search)\b|\/push$/;
/** Paths that change what the daemon is. */
const farReaching = /^\/(swarm|nodes|services|tasks|secrets|configs|plugins)\b/;

export const isInBounds = ({ method, path }: FuzzRoute): boolean =>
  !farAway.test(path) && (method === 'GET' || !farReaching.test(path));

/** A request for a route: mostly nearly right, so that it gets far. */
export function makeRequest(route: FuzzRoute, execs: readonly string[], random: Random): FuzzRequest {
  const known = route.path.startsWith('/exec/') ? [...execs, 'nothing'] : names;
  const path = route.path.replace(/\{[^}]+\}/g, (parameter) => {
    const value = random.chance(0.85) ? random.pick(known) : oddString(random);
    return parameter.includes('...') ? encodeURI(wellFormed(value)) : encodeURIComponent(wellFormed(value));
  });
  const version = random.chance(0.5) ? '' : `/v1.${24 + random.below(28)}`;
  const query = Array.from({ length: random.below(4) }, () => {
    const name = random.pick(route.query ?? queryNames);
    return `${name}=${encodeURIComponent(wellFormed(queryValue(name, random)))}`;
  });
  if (route.path === '/images/create') query.unshift(`fromImage=${encodeURIComponent('127.0.0.1:1/x')}`);
  if (route.path === '/events') query.push('until=1');
  const url = `${version}${path}${query.length > 0 ? `?${query.join('&')}` : ''}`;
  const headers = ['Host: fuzz'];
  if (random.chance(0.05)) headers.push(`X-Registry-Auth: ${random.pick(['e30=', 'junk', '{"', 'bnVsbA=='])}`);
  if (!['POST', 'PUT'].includes(route.method)) return { method: route.method, url, headers, body: undefined };
  const right = route.body ?? bodies[route.path];
  if (right === undefined && !random.chance(0.2)) {
    const archive = /load$|archive$|build$/.test(route.path) || url.includes('fromSrc');
    if (!archive) return { method: route.method, url, headers, body: undefined };
    headers.push('Content-Type: application/x-tar');
    return { method: route.method, url, headers, body: oddArchive(random) };
  }
  const value = random.chance(0.1) ? oddValue(random) : mutate(right ?? {}, random, random.pick([0, 0.01, 0.05, 0.3]));
  headers.push(`Content-Type: ${random.chance(0.97) ? 'application/json' : oddString(random).replace(/[^ -~]/g, '')}`);
  return { method: route.method, url, headers, body: Buffer.from(write(value, random)) };
}

function queryValue(name: string, random: Random): string {
  if (random.chance(0.5)) return random.pick(['1', '0', 'true', 'false', '']);
  if (name === 'filters' && random.chance(0.8)) {
    const filter = random.pick([
      'name',
      'label',
      'status',
      'until',
      'dangling',
      'type',
      'id',
      'nope',
      'reference',
      'before',
    ]);
    return write({ [filter]: random.chance(0.8) ? [oddString(random)] : oddValue(random) }, random);
  }
  // Nobody waits for long here.
  if (name === 't') return random.pick(['0', '1', '-2', 'x', '1.5']);
  return wellFormed(oddString(random)).slice(0, 2000);
}

function oddArchive(random: Random): Buffer {
  const block = Buffer.alloc(512);
  block.write(random.pick(['f', 'manifest.json', '../up', 'd/', 'repositories', 'Dockerfile']));
  block.write('0000644\x000000000\x000000000\x0000000000004\x0000000000000\x00', 100, 'latin1');
  block.write('        ', 148);
  block.write(random.pick(['0', '5', '2', '7', 'L', 'x']), 156);
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\x00 `, 148, 'latin1');
  const whole = Buffer.concat([block, Buffer.from('[{}]'), Buffer.alloc(508 + 1024)]);
  const kind = random.below(4);
  if (kind === 0) return whole.subarray(0, random.below(whole.length));
  if (kind === 1) whole[random.below(whole.length)] = random.below(256);
  return kind === 2 ? Buffer.from(oddString(random)) : whole;
}

/** What encodeURIComponent takes. */
const wellFormed = (text: string) => text.replace(/[\ud800-\udfff]/g, '\ufffd');
