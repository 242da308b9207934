import type { ProvidedSecret, SecretRequest } from '../contracts/secret-provider';
import { systemError } from '../errors';
import { arrayField, field, stringField, stringMapField } from './fields';
import { sortedMap } from './request-text';

/** How the method behaves on the wire. @see volumeDriverMethods */
export const secretProviderMethods = {
  getSecret: { method: 'SecretProvider.GetSecret', timeoutMs: 30_000, repeatable: true },
} as const;

/** The request of GetSecret; what is empty is absent (P-SEC-1). */
export function encodeSecretRequest(request: SecretRequest): object {
  const { serviceEndpoint: endpoint } = request;
  const fields: Record<string, unknown> = {
    SecretName: request.secretName,
    SecretLabels: sortedMap(request.secretLabels),
    ServiceHostname: request.serviceHostname,
    ServiceID: request.serviceId,
    ServiceName: request.serviceName,
    ServiceLabels: sortedMap(request.serviceLabels),
    ServiceEndpointSpec: endpoint && {
      Mode: endpoint.mode,
      Ports: endpoint.ports.map((port) => ({
        Name: port.name,
        Protocol: port.protocol,
        TargetPort: port.targetPort,
        PublishedPort: port.publishedPort,
        PublishMode: port.publishMode,
      })),
    },
    TaskID: request.taskId,
    TaskName: request.taskName,
    TaskImage: request.taskImage,
    NodeID: request.nodeId,
  };
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) =>
        value !== undefined && value !== '' && (typeof value !== 'object' || Object.keys(value!).length > 0),
    ),
  );
}

/** The other way round, for a plugin. */
export function decodeSecretRequest(body: unknown): SecretRequest {
  const text = (name: string) => stringField(body, name) || undefined;
  const endpoint = field(body, 'ServiceEndpointSpec');
  return {
    secretName: stringField(body, 'SecretName'),
    secretLabels: stringMapField(body, 'SecretLabels'),
    serviceHostname: text('ServiceHostname'),
    serviceId: text('ServiceID'),
    serviceName: text('ServiceName'),
    serviceLabels: stringMapField(body, 'ServiceLabels'),
    serviceEndpoint:
      typeof endpoint === 'object' && endpoint !== null
        ? {
            mode: numberOf(endpoint, 'Mode'),
            ports: arrayField(endpoint, 'Ports').map((port) => ({
              name: stringField(port, 'Name'),
              protocol: numberOf(port, 'Protocol'),
              targetPort: numberOf(port, 'TargetPort'),
              publishedPort: numberOf(port, 'PublishedPort'),
              publishMode: numberOf(port, 'PublishMode'),
            })),
          }
        : undefined,
    taskId: text('TaskID'),
    taskName: text('TaskName'),
    taskImage: text('TaskImage'),
    nodeId: text('NodeID'),
  };
}

/** The answer of GetSecret. */
export function encodeSecret(secret: ProvidedSecret): object {
  return { Value: secret.value.toString('base64'), ...(secret.doNotReuse ? { DoNotReuse: true } : {}) };
}

/** The other way round. @throws system  `Value` is not base64 */
export function decodeSecret(body: unknown): ProvidedSecret {
  const text = stringField(body, 'Value');
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text))
    throw systemError(`${secretProviderMethods.getSecret.method}: "Value" is not base64`);
  return { value: Buffer.from(text, 'base64'), doNotReuse: field(body, 'DoNotReuse') === true };
}

function numberOf(body: unknown, name: string): number {
  const value = field(body, name);
  return typeof value === 'number' ? value : 0;
}
