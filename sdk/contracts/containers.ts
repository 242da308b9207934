import { capability } from '../plugin/capability';

/** A container as other plugins see it. */
export interface ContainerSummary {
  readonly id: string;
  /** Without leading slash. */
  readonly name: string;
  readonly imageId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly status: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
}

/** The containers, as other plugins see them. */
export interface ContainerManager {
  /** @param reference full id, unique id prefix, or name. @throws not-found `No such container: x` */
  get(reference: string): ContainerSummary;
  list(): readonly ContainerSummary[];
}

/** The container engine; there is one. */
export const Containers1 = capability<ContainerManager>('containers/v1');
