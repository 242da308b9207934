import {
  bytesField,
  type Field,
  message,
  messagesOf,
  numberOf,
  readFields,
  textField,
  textMapField,
  textOf,
} from '../buildkit/protobuf';
import { frontendOptions } from './frontend-options';
import { type GrpcCall, GrpcError, type GrpcMethod, grpcCodes } from './grpc-server';
import type { SolveJob } from './solve-job';
import type { SolveJobs } from './solve-jobs';
import { parseBridgeSolve } from './solve-request';
import { pong } from './worker';

const buildHeader = 'buildkit-controlapi-buildid';

/**
 * The methods by which a client drives a build itself: it asks for the Dockerfile's result, and gives it back to be
 * exported.
 *
 * @see BuildKit, frontend/gateway/pb/gateway.proto
 */
export function bridgeMethods(jobs: SolveJobs, workerId: string): Record<string, GrpcMethod> {
  const jobOf = ({ headers, signal }: GrpcCall): Promise<SolveJob> =>
    jobs.get(String(headers[buildHeader] ?? ''), signal);
  return {
    async Ping(call) {
      await jobOf(call);
      return pong(workerId);
    },
    async Solve(call) {
      const job = await jobOf(call);
      const request = parseBridgeSolve(call.request);
      if (request.hasInputs)
        throw new GrpcError(
          grpcCodes.unimplemented,
          'results of other builds as build contexts (target:, service:) are not supported by this builder: build them to images, and name these with docker-image://',
        );
      if (request.frontend === '') {
        if (request.hasDefinition)
          throw new GrpcError(
            grpcCodes.unimplemented,
            'builds of LLB are not supported by this builder: it builds Dockerfiles',
          );
        return result('', request.takesReference);
      }
      const { frontend, attributes, cacheFrom } = request;
      const options = frontendOptions(frontend, attributes, job.session, cacheFrom);
      if (options.subrequest !== '') return result('', request.takesReference, await job.answer(options));
      const ref = await job.prepare(options);
      if (request.evaluate) await job.image(ref);
      return result(ref, request.takesReference);
    },
    async Evaluate(call) {
      const job = await jobOf(call);
      await job.image(textOf(readFields(call.request), 1));
      return Buffer.alloc(0);
    },
    // Of the warnings of a frontend that runs in the client.
    async Warn(call) {
      await jobOf(call);
      return Buffer.alloc(0);
    },
    async Inputs(call) {
      await jobOf(call);
      return Buffer.alloc(0);
    },
    async Return(call) {
      const job = await jobOf(call);
      const fields = readFields(call.request);
      const [error] = messagesOf(fields, 2);
      job.giveBack(
        error === undefined
          ? { kind: 'result', ref: refOf(messagesOf(fields, 1)[0] ?? []) }
          : { kind: 'error', error: statusOf(error) },
      );
      return Buffer.alloc(0);
    },
  };
}

/** A `SolveResponse` with one reference. */
function result(ref: string, takesReference: boolean, metadata: Readonly<Record<string, string>> = {}): Buffer {
  const told = textMapField(10, metadata);
  if (!takesReference) return message(textField(1, ref), bytesField(3, message(textField(1, ref), told)));
  return bytesField(3, message(bytesField(3, message(textField(1, ref))), told));
}

/** The reference in a `Result`: as a text, as a message, or the only one of a map. */
function refOf(fields: readonly Field[]): string {
  const text = textOf(fields, 1);
  if (text !== '') return text;
  const [single] = messagesOf(fields, 3);
  if (single !== undefined) return textOf(single, 1);
  const several = messagesOf(fields, 4).flatMap((map) => messagesOf(map, 1).flatMap((entry) => messagesOf(entry, 2)));
  if (several.length > 1)
    throw new GrpcError(grpcCodes.unimplemented, 'multiple platforms are not supported by this daemon');
  return several[0] === undefined ? '' : textOf(several[0], 1);
}

/** A `google.rpc.Status` that a client hands back. */
function statusOf(fields: readonly Field[]): GrpcError {
  const code = numberOf(fields, 1) || grpcCodes.unknown;
  const details = fields.flatMap(({ number, bytes }) => (number === 3 && bytes !== undefined ? [bytes] : []));
  return new GrpcError(code, textOf(fields, 2), details);
}
