import { integer, object, optional } from '@gantry/sdk';

export const bridgeConfig = object({
  /** Bytes. MTU of networks that do not name one; for the default bridge the daemon's own `mtu` goes first. 0 = the kernel's. */
  mtu: optional(integer({ min: 68, max: 65535 }), 0),
});
