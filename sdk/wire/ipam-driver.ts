const call = (name: string, repeatable: boolean) =>
  ({
    method: `IpamDriver.${name}`,
    timeoutMs: 60_000,
    repeatable,
    errorField: 'Error',
    errorPrefix: 'remote: ',
  }) as const;

/** How each method behaves on the wire; errors are told in `Error`. @see volumeDriverMethods */
export const ipamDriverMethods = {
  capabilities: call('GetCapabilities', true),
  defaultAddressSpaces: call('GetDefaultAddressSpaces', true),
  requestPool: call('RequestPool', false),
  releasePool: call('ReleasePool', false),
  requestAddress: call('RequestAddress', false),
  releaseAddress: call('ReleaseAddress', false),
} as const;
