import { EngineError, errorKind, withDeadline } from '@gantry/sdk';
import { mount, mountFlags, unmount } from '@gantry/sdk/linux/mount';
import { runProgram } from '@gantry/sdk/process';
import { mountFailure } from './mount-failure';
import { parseMountOptions, propagationFlags } from './mount-options';
import { resolveAddresses } from './network-address';
import type { MountSpec } from './volume-options';

const mountTimeoutMs = 90_000;
const unmountTimeoutMs = 30_000;

/** Mounts what the options of a volume say on its directory. */
export async function mountVolume(spec: MountSpec, target: string, signal?: AbortSignal): Promise<void> {
  const resolved = await resolveAddresses(spec);
  const { flags, data } = parseMountOptions(resolved.options);
  try {
    if (isQuick(resolved, flags)) mountAtOnce(resolved, target, flags, data);
    else
      await withDeadline(
        `mounting ${resolved.device}`,
        mountTimeoutMs,
        (until) =>
          // A dead server or a journal to replay holds up the child, not the daemon. -i: no mount.nfs and the like,
          // the options are mount(2)'s.
          runProgram('mount', mountArguments(resolved, target), until),
        signal,
      );
  } catch (error) {
    // Without the cause: it shows the command line, and the password in it.
    throw new EngineError(errorKind(error), describe(resolved, target, flags, data, error));
  }
}

/** Repeatable: not mounted is no error. */
export async function unmountVolume(spec: MountSpec, target: string): Promise<void> {
  if (isQuick(spec, parseMountOptions(spec.options).flags)) return unmount(target);
  await withDeadline(`unmounting ${target}`, unmountTimeoutMs, (until) => runProgram('umount', ['-i', target], until));
}

/** Mounts that never wait for a disk or a network. */
function isQuick(spec: MountSpec, flags: number): boolean {
  return spec.type === 'tmpfs' || (flags & mountFlags.bind) !== 0;
}

function mountAtOnce(spec: MountSpec, target: string, flags: number, data: string): void {
  const own = flags & ~propagationFlags;
  mount(spec.device, target, spec.type, own, data);
  try {
    if ((flags & propagationFlags) !== 0)
      mount('none', target, null, flags & (propagationFlags | mountFlags.recursive), null);
    // The first call of a bind mount ignores every flag but the bind itself.
    if ((own & mountFlags.bind) !== 0 && (own & ~(mountFlags.bind | mountFlags.recursive)) !== 0)
      mount('none', target, null, own | mountFlags.remount, null);
  } catch (error) {
    unmount(target, { detach: true });
    throw error;
  }
}

function mountArguments(spec: MountSpec, target: string): string[] {
  const options = spec.options === '' ? [] : ['-o', spec.options];
  return ['-i', '-t', spec.type, ...options, '--', spec.device, target];
}

function describe(spec: MountSpec, target: string, flags: number, data: string, error: unknown): string {
  const shownFlags = flags === 0 ? '' : `, flags: 0x${flags.toString(16)}`;
  const shownData = data === '' ? '' : `, data: ${hidePassword(data)}`;
  return `failed to mount local volume: mount ${spec.device}:${target}${shownFlags}${shownData}: ${mountFailure(error)}`;
}

function hidePassword(data: string): string {
  return data.replaceAll(/(^|,)password=[^,]*/g, '$1password=********');
}
