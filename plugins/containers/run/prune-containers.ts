import { errorMessage, invalidParameter } from '@gantry/sdk';
import { type Filters, hasLabel } from '../api/list-filters';
import type { Engine } from '../engine';
import { removeContainer } from './remove-container';

/**
 * Removes stopped containers that match.
 *
 * @param filters `until` (time or duration), `label`, `label!`
 * @see Docker Engine API, POST /containers/prune
 */
export async function pruneContainers(
  filters: Filters,
  engine: Engine,
  signal: AbortSignal,
): Promise<{ deleted: string[]; reclaimedBytes: number }> {
  const untilMs = parseUntil(filters.get('until') ?? [], engine.clock.now().getTime());
  const deleted: string[] = [];
  let reclaimedBytes = 0;
  for (const container of engine.index.all()) {
    if (signal.aborted) break;
    const { status } = container.state;
    if (status === 'running' || status === 'paused' || status === 'restarting' || status === 'removing') continue;
    const { id, createdAt, config } = container.record;
    if (untilMs !== undefined && Date.parse(createdAt) > untilMs) continue;
    if (!(filters.get('label') ?? []).every((label) => hasLabel(config.Labels, label))) continue;
    if ((filters.get('label!') ?? []).some((label) => hasLabel(config.Labels, label))) continue;
    try {
      const { sizeRw } = await engine.images.rootFilesystemSize(id);
      await removeContainer(id, { force: false, volumes: false }, engine);
      deleted.push(id);
      reclaimedBytes += sizeRw;
    } catch (error) {
      engine.log.warn('a container could not be pruned', { id, error: errorMessage(error) });
    }
  }
  engine.events.publish({
    type: 'container',
    action: 'prune',
    actor: { id: '', attributes: { reclaimed: String(reclaimedBytes) } },
  });
  return { deleted, reclaimedBytes };
}

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** A duration as Go writes it (`1h30m`) counts back from now; else seconds since the epoch, or a date. */
function parseUntil(values: readonly string[], nowMs: number): number | undefined {
  if (values.length === 0) return undefined;
  if (values.length > 1) throw invalidParameter('more than one until filter specified');
  const value = values[0] ?? '';
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  if (parts.length > 0 && parts.map(([part]) => part).join('') === value)
    return nowMs - parts.reduce((sum, [, number, unit]) => sum + Number(number) * (UNIT_MS[unit ?? ''] ?? 0), 0);
  const time = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value);
  if (Number.isNaN(time)) throw invalidParameter(`invalid filter 'until=${value}'`);
  return time;
}
