import { EngineError, type ErrorKind, errorMessage } from '@gantry/sdk';

/** Where an instruction stands. */
export interface SourcePosition {
  /** The Dockerfile as the client names it. */
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** Its last line: with continuations, without here-documents. */
  readonly lastLine: number;
  /** The instruction with its continuation lines joined. */
  readonly text: string;
}

/** A fault of the Dockerfile's text. */
export function syntaxError(at: SourcePosition, message: string): LocatedError {
  return new LocatedError('invalid-parameter', `dockerfile parse error on line ${at.line}: ${message}`, at);
}

/** A fault met while the instruction was carried out; the first line stays as it was. */
export function located(at: SourcePosition, error: unknown): LocatedError {
  if (error instanceof LocatedError) return error;
  const kind: ErrorKind = error instanceof EngineError ? error.kind : 'system';
  return new LocatedError(kind, errorMessage(error), at, error);
}

/** An error that knows which instruction it is about; its message says so. */
export class LocatedError extends EngineError {
  /** @param reason the message without the place */
  constructor(
    kind: ErrorKind,
    readonly reason: string,
    readonly at: SourcePosition,
    cause?: unknown,
  ) {
    super(kind, `${reason}\n${placeOf(at)}`, cause === undefined ? {} : { cause });
  }
}

const placeOf = ({ file, line, text }: SourcePosition) => `${file}:${line}: ${text}`;
