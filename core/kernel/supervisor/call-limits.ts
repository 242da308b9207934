const quick = 60_000;
/** Making something real may mean formatting a disk or asking a cloud. */
const long = 120_000;

/**
 * How long the calls of drivers may take, in milliseconds, by kind and method (P-CALL-6). A method that is not here
 * answers at once or lasts as long as it lasts, such as reading a log.
 */
export const callLimits: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'volume-driver': {
    capabilities: quick,
    create: long,
    remove: quick,
    mount: long,
    unmount: quick,
    path: quick,
    get: quick,
    list: quick,
  },
  'network-driver': {
    capabilities: quick,
    allocateNetwork: quick,
    freeNetwork: quick,
    gwAllocCheck: quick,
    createNetwork: quick,
    deleteNetwork: quick,
    createEndpoint: quick,
    deleteEndpoint: quick,
    endpointInfo: quick,
    join: quick,
    leave: quick,
    programExternalConnectivity: quick,
    revokeExternalConnectivity: quick,
    discover: quick,
  },
  'ipam-driver': {
    capabilities: quick,
    defaultAddressSpaces: quick,
    requestPool: quick,
    releasePool: quick,
    requestAddress: quick,
    releaseAddress: quick,
  },
  'log-driver': { capabilities: quick, open: quick, remove: quick },
  authz: { request: 30_000, response: 30_000 },
  'metrics-collector': { startMetrics: 10_000, stopMetrics: 10_000 },
  'secret-provider': { getSecret: 30_000 },
};

/** How long a plugin may take to begin the answer to a request, or to take over a connection, that is forwarded to it. */
const forwardLimits: Readonly<Record<string, number>> = { 'api-routes.request': quick, 'api-routes.upgrade': quick };

/** The limit of `volume-driver.create`, or undefined. */
export function limitOf(call: string): number | undefined {
  const dot = call.indexOf('.');
  return forwardLimits[call] ?? callLimits[call.slice(0, dot)]?.[call.slice(dot + 1)];
}

/** Whether the calls of this capability, such as `volume-driver/v1`, are supervised. */
export const isSupervised = (capabilityId: string): boolean => capabilityId.split('/', 1)[0]! in callLimits;
