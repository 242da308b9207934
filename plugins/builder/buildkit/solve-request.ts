import { frame, MessageReader } from './grpc-messages';
import { bytesField, type Field, readFields } from './protobuf';

/** Fields of `moby.buildkit.v1.SolveRequest` and of its exporters. */
const solve = { exporter: 3, session: 5, exporters: 13 } as const;
const exporterType = 1;

/**
 * Clients of a Docker daemon ask for the exporter `moby`, which only dockerd's own BuildKit has. The exporter `docker`
 * sends the same image as an archive through the client's session.
 *
 * @param body one framed request
 * @returns the request to be sent instead, and the session its image comes through; undefined = it makes no image here
 */
export function takeImage(body: Buffer): { readonly body: Buffer; readonly session: string | undefined } {
  const [message] = new MessageReader().push(body);
  if (message === undefined) return { body, session: undefined };
  const fields = readFields(message);
  let taken = false;
  const rename = (name: Buffer | undefined) => {
    if (name?.toString() !== 'moby') return false;
    taken = true;
    return true;
  };
  const rewritten = fields.map(({ number, bytes, raw }) => {
    if (number === solve.exporter && rename(bytes)) return bytesField(number, 'docker');
    if (number !== solve.exporters || bytes === undefined) return raw;
    const inner = readFields(bytes).map((field: Field) =>
      field.number === exporterType && rename(field.bytes) ? bytesField(exporterType, 'docker') : field.raw,
    );
    return bytesField(number, Buffer.concat(inner));
  });
  if (!taken) return { body, session: undefined };
  return {
    body: frame(Buffer.concat(rewritten)),
    session: fields.find(({ number }) => number === solve.session)?.bytes?.toString(),
  };
}
