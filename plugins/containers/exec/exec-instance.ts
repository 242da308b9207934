import type { RunningProcess } from '@gantry/sdk';
import type { Container } from '../run/container';

/** What was asked of an exec. @see Engine API, ExecConfig */
export interface ExecConfig {
  readonly user: string;
  readonly privileged: boolean;
  readonly terminal: boolean;
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  readonly detachKeys: string;
  readonly env: readonly string[];
  readonly workingDir: string;
  readonly command: readonly string[];
  /** Rows and columns. */
  readonly consoleSize: readonly number[] | undefined;
}

/** One further process in a container, from its creation until some time after its end. */
export interface ExecInstance {
  readonly id: string;
  readonly container: Container;
  config: ExecConfig;
  status: 'created' | 'starting' | 'running' | 'exited';
  process: RunningProcess | undefined;
  pid: number;
  exitCode: number | undefined;
  /** Bytes of output handed on so far. */
  deliveredBytes: number;
}
