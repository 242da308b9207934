import { bytesField, message, numberField, textField } from '../buildkit/protobuf';
import { hostPlatform } from '../engine/platform';

/** What the frontend's clients may use. @see BuildKit, frontend/gateway/pb/caps.go */
const frontendCapabilities = [
  'solve.base',
  'resolveimage.resolvemode',
  'importcaches',
  'readfile',
  'return',
  'returnmap',
  'statfile',
  'proto.refarray',
  'reference.output',
  'frontend.caps',
  'gateway.evaluate',
  'gateway.solve.evaluate',
  'gateway.solve.metadata',
  'gateway.warnings',
];

/** @see BuildKit, solver/pb/caps.go */
const builderCapabilities = [
  'source.image',
  'source.image.resolvemode',
  'source.local',
  'source.local.sessionid',
  'source.local.includepatterns',
  'source.local.followpaths',
  'source.local.excludepatterns',
  'source.local.sharedkeyhint',
  'source.git',
  'source.git.keepgitdir',
  'source.git.fullurl',
  'source.git.subdir',
  'source.http',
  'source.http.checksum',
  'exec.meta.base',
  'exec.meta.cgroup.parent',
  'exec.meta.network',
  'exec.meta.security',
  'exec.meta.ulimit',
  'exec.mount.bind',
  'exec.mount.cache',
  'exec.mount.cache.sharing',
  'exec.mount.selector',
  'exec.mount.tmpfs',
  'exec.mount.tmpfs.size',
  'exec.mount.secret',
  'exec.mount.ssh',
  'exec.secretenv',
  'file.base',
  'file.copy.includeexcludepatterns',
  'constraints',
  'platform',
  'meta.ignorecache',
  'meta.description',
  'exporter.sourcedateepoch',
];

const worker = (id: string): Buffer => {
  const [os = '', architecture = '', variant = ''] = hostPlatform().split('/');
  return message(
    textField(1, id),
    bytesField(3, message(textField(1, architecture), textField(2, os), textField(3, variant))),
    bytesField(5, message(textField(1, 'github.com/moby/buildkit'), textField(2, version))),
  );
};

const version = 'v0.0.0+gantry-moby';

const capability = (id: string): Buffer => message(textField(1, id), numberField(2, true));

/** `Control.ListWorkers`: there is one. */
export const listWorkers = (id: string): Buffer => bytesField(1, worker(id));

/** `Control.Info`. */
export const info = (): Buffer =>
  bytesField(1, message(textField(1, 'github.com/moby/buildkit'), textField(2, version)));

/** `LLBBridge.Ping`. */
export const pong = (id: string): Buffer =>
  message(
    ...frontendCapabilities.map((each) => bytesField(1, capability(each))),
    ...builderCapabilities.map((each) => bytesField(2, capability(each))),
    bytesField(3, worker(id)),
  );
