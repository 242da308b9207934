import { boolean, integer, object, optional } from '@gantry/sdk';

export const bridgeConfig = object({
  /**
   * The host's own input rules decide over published ports: nothing is translated, and what reaches a published port is
   * a connection to the host, which the daemon relays. Containers see the gateway as its source; sctp is refused.
   */
  hostFirewallDecides: optional(boolean(), false),
  /** Bytes. MTU of networks that do not name one; for the default bridge the daemon's own `mtu` goes first. 0 = the kernel's. */
  mtu: optional(integer({ min: 68, max: 65535 }), 0),
});
