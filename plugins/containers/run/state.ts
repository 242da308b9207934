import { conflict } from '@gantry/sdk';

/** Times are RFC 3339. */
export interface ContainerState {
  readonly status: ContainerStatus;
  /** Host pid of the first process; 0 when not running. */
  readonly pid: number;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** Why the last start failed; empty otherwise. */
  readonly error: string;
  readonly startedAt: string;
  readonly finishedAt: string;
}

export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

/** Go's zero time, which clients know as "never". */
export const NEVER = '0001-01-01T00:00:00Z';

export const createdState: ContainerState = {
  status: 'created',
  pid: 0,
  exitCode: 0,
  oomKilled: false,
  error: '',
  startedAt: NEVER,
  finishedAt: NEVER,
};

/** What may happen to a container. */
export type StateChange =
  | { readonly to: 'running'; readonly pid: number; readonly at: string }
  | { readonly to: 'start-failed'; readonly exitCode: number; readonly error: string; readonly started: boolean }
  | { readonly to: 'paused' }
  | { readonly to: 'resumed' }
  | { readonly to: 'exited'; readonly exitCode: number; readonly oomKilled: boolean; readonly at: string }
  | { readonly to: 'restarting'; readonly exitCode: number; readonly oomKilled: boolean; readonly at: string }
  | { readonly to: 'waiting'; readonly error: string }
  | { readonly to: 'restart-given-up' }
  | { readonly to: 'removing' }
  | { readonly to: 'dead' };

const allowed: Record<StateChange['to'], readonly ContainerStatus[]> = {
  running: ['created', 'exited', 'restarting', 'dead'],
  'start-failed': ['created', 'exited', 'restarting', 'dead'],
  paused: ['running'],
  resumed: ['paused'],
  exited: ['running', 'paused', 'restarting'],
  restarting: ['running', 'paused'],
  waiting: ['created', 'exited', 'restarting', 'dead'],
  'restart-given-up': ['restarting'],
  removing: ['created', 'exited', 'dead', 'restarting', 'removing'],
  dead: ['removing', 'exited', 'created'],
};

/** The one place that knows which state follows which. @throws conflict the change makes no sense now */
export function nextState(state: ContainerState, change: StateChange): ContainerState {
  if (!allowed[change.to].includes(state.status))
    throw conflict(`a container that is ${state.status} cannot become ${change.to}`);
  switch (change.to) {
    case 'running':
      return {
        ...state,
        status: 'running',
        pid: change.pid,
        exitCode: 0,
        oomKilled: false,
        error: '',
        startedAt: change.at,
      };
    case 'start-failed':
      return {
        ...state,
        status: change.started ? 'exited' : 'created',
        pid: 0,
        exitCode: change.exitCode,
        error: change.error,
      };
    case 'paused':
      return { ...state, status: 'paused' };
    case 'resumed':
      return { ...state, status: 'running' };
    case 'exited':
    case 'restarting':
      return {
        ...state,
        status: change.to,
        pid: 0,
        exitCode: change.exitCode,
        oomKilled: change.oomKilled,
        finishedAt: change.at,
      };
    case 'waiting':
      return { ...state, status: 'restarting', pid: 0, error: change.error };
    case 'restart-given-up':
      return { ...state, status: 'exited', pid: 0 };
    case 'removing':
      return { ...state, status: 'removing' };
    case 'dead':
      return { ...state, status: 'dead' };
  }
}

/** A process of the container exists. */
export const isAlive = (state: ContainerState): boolean => state.status === 'running' || state.status === 'paused';
