import { EngineError, type ErrorKind, errorMessage, invalidParameter } from '@gantry/sdk';

/** Where an instruction stands. */
export interface SourcePosition {
  /** The Dockerfile as the client names it. */
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** The instruction with its continuation lines joined. */
  readonly text: string;
}

/** A fault of the Dockerfile's text. */
export function syntaxError(at: SourcePosition, message: string): EngineError {
  return invalidParameter(`dockerfile parse error on line ${at.line}: ${message}\n${placeOf(at)}`);
}

/** A fault met while the instruction was carried out; the first line stays as it was. */
export function located(at: SourcePosition, error: unknown): EngineError {
  const kind: ErrorKind = error instanceof EngineError ? error.kind : 'system';
  return new EngineError(kind, `${errorMessage(error)}\n${placeOf(at)}`, { cause: error });
}

const placeOf = ({ file, line, text }: SourcePosition) => `${file}:${line}: ${text}`;
