import { EngineError, errorMessage, invalidParameter, systemError } from '@gantry/sdk';

/** What a failed start means to clients: the docker CLI derives its own exit code from status and text. */
export interface StartFailure {
  readonly error: EngineError;
  /** 126 cannot be invoked, 127 not found, 128 anything else. */
  readonly exitCode: number;
}

export function startFailure(cause: unknown): StartFailure {
  const message = errorMessage(cause);
  const lower = message.toLowerCase();
  const names = (text: string) => lower.includes(text);
  if (names('oci runtime') && (names('executable file not found') || names('no such file or directory')))
    return { error: invalidParameter(message, cause), exitCode: 127 };
  if (names('permission denied')) return { error: invalidParameter(message, cause), exitCode: 126 };
  if (names('oci runtime') && names('not a directory'))
    return {
      error: invalidParameter(
        `${message}: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type`,
        cause,
      ),
      exitCode: 127,
    };
  return { error: cause instanceof EngineError ? cause : systemError(message, cause), exitCode: 128 };
}

/** The same for a further process in a running container. */
export function execError(cause: unknown): EngineError {
  const message = errorMessage(cause);
  if (!message.startsWith('OCI runtime exec failed') || message.endsWith(': unknown'))
    return cause instanceof EngineError ? cause : systemError(message, cause);
  return systemError(`${message}: unknown`, cause);
}

/** Puts the OCI runtime's words into the sentence that clients know. */
export function taskError(cause: unknown): EngineError {
  const message = errorMessage(cause).replace(/^failed to create shim task: /, '');
  const text = `failed to create task for container: failed to create shim task: ${message}`;
  return systemError(message.endsWith(': unknown') ? text : `${text}: unknown`, cause);
}
