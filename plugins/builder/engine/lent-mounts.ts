import { chown, rm, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { type CleanupStack, invalidParameter } from '@gantry/sdk';
import { getSecret } from '../session/secrets';
import { serveAgent } from '../session/ssh-agent';
import type { ExpandedMount } from './run-mounts';
import type { Step } from './stage-runner';

interface Destinations {
  readonly binds: object[];
  readonly environment: string[];
  readonly undo: CleanupStack;
}

/** A secret or an agent, lent by the client for one RUN. It is no part of the image, nor of the cache's key. */
export function prepareLent(
  mount: ExpandedMount,
  type: 'secret' | 'ssh',
  index: number,
  step: Step,
  { binds, environment, undo }: Destinations,
): { readonly key: unknown; readonly target: string | undefined; open(): Promise<void> } {
  const { build, signal } = step;
  const id = mount.id ?? (mount.source || undefined) ?? (type === 'ssh' ? 'default' : posix.basename(mount.target));
  if (id === '') throw invalidParameter('--mount=type=secret needs an id or a target');
  const usual = type === 'ssh' ? `/run/buildkit/ssh_agent.${index}` : `/run/secrets/${id}`;
  const inEnvironment = type === 'secret' && mount.environmentName !== undefined && !mount.wantsTarget;
  const target = inEnvironment ? undefined : mount.wantsTarget ? mount.target : usual;
  const { uid = 0, gid = 0 } = mount;
  const missing = () => {
    if (!mount.required) return;
    throw invalidParameter(type === 'ssh' ? `unset ssh forward key ${id}` : `secret ${id}: not found`);
  };
  const folder = async () => {
    const path = await build.builder.private.folder();
    undo.push(() => rm(path, { recursive: true, force: true }));
    return path;
  };
  return {
    key: [type, target ?? null, mount.environmentName ?? null, id],
    target,
    async open() {
      if (build.request.session === '')
        throw invalidParameter(
          `RUN --mount=type=${type} needs a build session, and the client opened none: use docker buildx, or pass what the step needs as a build argument or a context file`,
        );
      const session = await build.builder.sessions.get(build.request.session, signal);
      if (type === 'ssh') {
        const path = join(await folder(), 'agent');
        const close = await serveAgent(session, id, path, { mode: mount.mode ?? 0o600, uid, gid }, signal);
        if (close === undefined) return missing();
        undo.push(close);
        binds.push({ Type: 'bind', Source: path, Target: target });
        if (!environment.some((entry) => entry.startsWith('SSH_AUTH_SOCK=')))
          environment.push(`SSH_AUTH_SOCK=${target}`);
        return;
      }
      const secret = await getSecret(session, id, signal);
      if (secret === undefined) return missing();
      if (mount.environmentName !== undefined) environment.push(`${mount.environmentName}=${secret.toString()}`);
      if (target === undefined) return;
      const path = join(await folder(), 'secret');
      await writeFile(path, secret, { mode: mount.mode ?? 0o400 });
      await chown(path, uid, gid);
      binds.push({ Type: 'bind', Source: path, Target: target, ReadOnly: true });
    },
  };
}
