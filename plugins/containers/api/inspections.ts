import { stringifyJson } from '@gantry/sdk';
import type { Engine } from '../engine';
import type { Container } from '../run/container';
import { renderInspect } from './render-inspect';
import { liveSandbox } from './render-shared';

interface Inspection {
  readonly seen: readonly unknown[];
  readonly body: Buffer;
}

/** How many are kept: a few kilobytes each. */
const capacity = 64;

/**
 * Containers as GET /containers/{id}/json shows them to clients of the current API. Watchers ask for the same
 * container over and over, so the bytes of the last answer are kept while nothing that went into it has changed.
 */
export class Inspections {
  private readonly kept = new Map<Container, Inspection>();

  constructor(private readonly engine: Engine) {}

  /** The JSON of a container's inspection, without sizes. */
  render(container: Container, apiVersion: string): Buffer {
    const seen = whatIsShown(container, this.engine);
    const last = this.kept.get(container);
    if (seen !== undefined && last !== undefined && last.seen.every((value, index) => value === seen[index]))
      return last.body;
    const body = Buffer.from(`${stringifyJson(renderInspect(container, this.engine, apiVersion))}\n`);
    this.kept.delete(container);
    if (seen === undefined) return body;
    if (this.kept.size >= capacity) this.kept.delete(this.kept.keys().next().value!);
    this.kept.set(container, { seen, body });
    return body;
  }
}

/**
 * What an inspection is made of, in the order of its members; every change replaces one of them by another value.
 * Undefined when there is more to it: the health log and the exec instances change in place, and a shared network
 * shows another container's files.
 */
function whatIsShown(container: Container, engine: Engine): readonly unknown[] | undefined {
  const { record, health, execs } = container;
  if (health !== undefined || execs.size > 0 || record.hostConfig.NetworkMode.startsWith('container:'))
    return undefined;
  return [
    record.name,
    record.hostConfig,
    record.mounts,
    record.hookPatches,
    record.networks,
    record.state,
    record.restartCount,
    record.started,
    liveSandbox(record, engine.networks),
  ];
}
