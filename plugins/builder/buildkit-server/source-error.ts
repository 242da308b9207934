import { EngineError, errorMessage } from '@gantry/sdk';
import { bytesField, message } from '../buildkit/protobuf';
import { LocatedError, type SourcePosition } from '../dockerfile/source-position';
import { StepFailed } from '../engine/build-request';
import { GrpcError, grpcCodes } from './grpc-server';

const types = 'github.com/moby/buildkit/';

/** A failure of a build as a client of BuildKit shows it: with the lines of the Dockerfile it is about. */
export function sourceError(
  error: unknown,
  source: { readonly file: string; readonly text: string } | undefined,
): GrpcError {
  if (error instanceof GrpcError) return error;
  const at = error instanceof LocatedError || error instanceof StepFailed ? error.at : undefined;
  const details: Buffer[] = [];
  if (source !== undefined && at !== undefined && at.file === source.file)
    details.push(anyOf('errdefs.Source+json', sourceDetail(source.text, at)));
  if (error instanceof StepFailed) details.push(anyOf('gatewayapi.ExitMessage+json', { Code: error.code }));
  return new GrpcError(codeOf(error), reasonOf(error), details);
}

/** What an error says, without the place. */
export const reasonOf = (error: unknown): string =>
  error instanceof LocatedError ? error.reason : errorMessage(error);

function codeOf(error: unknown): number {
  if (!(error instanceof EngineError)) return grpcCodes.unknown;
  if (error.kind === 'cancelled') return grpcCodes.cancelled;
  return error.kind === 'not-implemented' ? grpcCodes.unimplemented : grpcCodes.unknown;
}

function sourceDetail(text: string, { file, line, lastLine }: SourcePosition): unknown {
  const ranges = [];
  for (let each = line; each <= lastLine; each++) ranges.push({ start: { line: each }, end: { line: each } });
  return {
    info: { filename: file, data: Buffer.from(text).toString('base64'), language: 'Dockerfile' },
    ranges,
  };
}

/** A `google.protobuf.Any` whose value is JSON. */
const anyOf = (type: string, value: unknown): Buffer =>
  message(bytesField(1, types + type), bytesField(2, JSON.stringify(value)));
