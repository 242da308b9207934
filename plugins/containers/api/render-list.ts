import { parseExposedPorts } from '../create/ports';
import type { Engine } from '../engine';
import type { Container } from '../run/container';
import { humanDuration, humanDurationValidMs } from './human-duration';
import { liveSandbox, renderNetworks, shownMounts } from './render-shared';
import { shownImages } from './shown-images';

interface Fragment {
  readonly revision: number;
  readonly image: string;
  readonly validUntilMs: number;
  readonly json: string;
}

/**
 * Containers as GET /containers/json shows them. Each one's JSON is kept until something about it changes, or until
 * the words of its status ("Up 5 seconds") stop being true: a list is then mostly joining strings.
 */
export class ListRenderer {
  private readonly fragments = new WeakMap<Container, Fragment>();
  private last: { readonly fragments: readonly Fragment[]; readonly body: Buffer } | undefined;

  constructor(private readonly engine: Engine) {}

  /** The JSON of a list; the very bytes of the last one while nothing in it changed. */
  async render(containers: readonly Container[]): Promise<Buffer> {
    const shown = await shownImages(containers, this.engine);
    const nowMs = this.engine.clock.now().getTime();
    const fragments = containers.map((container) => this.fragment(container, shown(container), nowMs));
    const { last } = this;
    if (last?.fragments.length === fragments.length && fragments.every((it, index) => it === last.fragments[index]))
      return last.body;
    const body = Buffer.from(`[${fragments.map(({ json }) => json).join(',')}]\n`);
    this.last = { fragments, body };
    return body;
  }

  private fragment(container: Container, image: string, nowMs: number): Fragment {
    const kept = this.fragments.get(container);
    if (kept && kept.revision === container.revision && kept.image === image && nowMs < kept.validUntilMs) return kept;
    const { text, validMs } = statusText(container, nowMs);
    const json = JSON.stringify(renderListItem(container, { status: text, image }, this.engine));
    const made = { revision: container.revision, image, validUntilMs: nowMs + validMs, json };
    this.fragments.set(container, made);
    return made;
  }
}

/** @param shown.image see `shownImages`. @see Engine API, ContainerSummary */
export function renderListItem(
  container: Container,
  shown: { readonly status: string; readonly image: string },
  engine: Pick<Engine, 'networks' | 'settings'>,
): Record<string, unknown> {
  const { record } = container;
  const sandbox = liveSandbox(record, engine.networks);
  const command = [record.path, ...record.args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ');
  return {
    Id: record.id,
    Names: [`/${record.name}`],
    Image: shown.image,
    ImageID: record.imageId,
    Command: command,
    Created: Math.floor(Date.parse(record.createdAt) / 1000),
    Ports: renderPorts(container, engine),
    Labels: record.config.Labels,
    State: record.state.status,
    Status: shown.status,
    HostConfig: {
      NetworkMode: record.hostConfig.NetworkMode,
      ...(record.hostConfig.Annotations ? { Annotations: record.hostConfig.Annotations } : {}),
    },
    NetworkSettings: { Networks: renderNetworks(record, sandbox) },
    Mounts: shownMounts(record),
  };
}

function renderPorts(container: Container, engine: Pick<Engine, 'networks'>): Record<string, unknown>[] {
  const { record } = container;
  const sandbox = liveSandbox(record, engine.networks);
  if (sandbox === undefined) return [];
  const bound = sandbox.ports.map(({ proto, port, hostIp, hostPort }) => ({
    ...(hostIp ? { IP: hostIp } : {}),
    PrivatePort: port,
    PublicPort: hostPort,
    Type: proto,
  }));
  const exposed = parseExposedPorts(Object.keys(record.config.ExposedPorts ?? {}))
    .filter(({ port, proto }) => !sandbox.ports.some((other) => other.port === port && other.proto === proto))
    .map(({ port, proto }) => ({ PrivatePort: port, Type: proto }));
  return [...exposed, ...bound];
}

/** The line `docker ps` shows, and for how long it stays true. */
export function statusText(container: Container, nowMs: number): { text: string; validMs: number } {
  const { state, health } = container;
  const since = (time: string) => Math.max(0, nowMs - Date.parse(time));
  const always = Number.MAX_SAFE_INTEGER;
  switch (state.status) {
    case 'running':
    case 'paused': {
      const ms = since(state.startedAt);
      const healthWord = health
        ? ` (${health.state.status === 'starting' ? 'health: starting' : health.state.status})`
        : '';
      const suffix = state.status === 'paused' ? ' (Paused)' : healthWord;
      return { text: `Up ${humanDuration(ms)}${suffix}`, validMs: humanDurationValidMs(ms) };
    }
    case 'restarting': {
      const ms = since(state.finishedAt);
      return { text: `Restarting (${state.exitCode}) ${humanDuration(ms)} ago`, validMs: humanDurationValidMs(ms) };
    }
    case 'exited': {
      const ms = since(state.finishedAt);
      return { text: `Exited (${state.exitCode}) ${humanDuration(ms)} ago`, validMs: humanDurationValidMs(ms) };
    }
    case 'removing':
      return { text: 'Removal In Progress', validMs: always };
    case 'dead':
      return { text: 'Dead', validMs: always };
    case 'created':
      return { text: 'Created', validMs: always };
  }
}
