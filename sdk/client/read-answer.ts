import { EngineError, type ErrorKind, systemError } from '../errors';
import { decodeError, decodeKind, stringField } from '../wire';
import type { PluginAnswer } from './exchange';
import type { PluginCall } from './plugin-client';

/** The plugin itself said no, as opposed to: it could not be reached, or it answered junk. */
export class PluginRefusal extends EngineError {
  constructor(
    kind: ErrorKind,
    message: string,
    /** HTTP status of the answer; 404 may mean that the plugin does not have the method (P-CALL-9). */
    readonly status: number,
  ) {
    super(kind, message);
  }
}

/**
 * Judges a complete answer: success is exactly status 200 (P-CALL-7), with a JSON object that carries no error
 * (P-CALL-8).
 *
 * @param where names method and plugin in messages
 * @throws PluginRefusal  the plugin told an error. @throws system  its answer is no JSON object
 */
export function readAnswer(call: PluginCall, answer: PluginAnswer, where: string): unknown {
  const body = parsedJson(answer.body);
  if (answer.status !== 200) {
    const said =
      stringField(body, 'Err') || answer.body.toString('utf8').trim() || `answered with status ${answer.status}`;
    throw new PluginRefusal(decodeKind(body) ?? 'system', `${call.method}: ${said}`, answer.status);
  }
  if (call.ignoresBody) return {};
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw systemError(`${where} answered with something that is not a JSON object`);
  const error = decodeError(body, call.errorField, 'system', call.errorPrefix);
  if (error !== undefined) throw new PluginRefusal(error.kind, error.message, 200);
  return body;
}

/** undefined when it is not JSON. */
export function parsedJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
