import { type ApiSubject, errorKind } from '@gantry/sdk';
import type { Engine } from '../engine';

/** The container, or the exec and its container's labels, that a request names. */
export function requestSubject(
  engine: Pick<Engine, 'index' | 'execs'>,
  path: string,
  params: Readonly<Record<string, string>>,
): ApiSubject | undefined {
  if (path.startsWith('/exec/{id}')) {
    const exec = engine.execs.get(params.id ?? '');
    if (exec === undefined) return undefined;
    const { name, config } = exec.container.record;
    return { kind: 'exec', id: exec.id, name, labels: config.Labels ?? {} };
  }
  const reference = path.startsWith('/containers/{id}') ? params.id : undefined;
  if (reference === undefined) return undefined;
  try {
    const { id, record } = engine.index.get(reference);
    return { kind: 'container', id, name: record.name, labels: record.config.Labels ?? {} };
  } catch (error) {
    if (errorKind(error) === 'system') throw error;
    return undefined;
  }
}
