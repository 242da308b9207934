import { type DriverNetworkOptions, type EngineError, invalidParameter } from '@gantry/sdk';
import ipaddr from 'ipaddr.js';

export type GatewayMode = 'nat' | 'nat-unprotected' | 'routed' | 'isolated';

/** A bridge network's options, parsed. */
export interface BridgeOptions {
  readonly bridgeName: string;
  readonly isDefault: boolean;
  readonly icc: boolean;
  readonly masquerade: boolean;
  /** Address published ports without one are bound to; empty = all addresses of both families. */
  readonly hostIp: string;
  readonly mtu: number;
  /** Name of interfaces in the sandbox, before the number. */
  readonly interfacePrefix: string;
  readonly gatewayMode4: GatewayMode;
  readonly gatewayMode6: GatewayMode;
  readonly internal: boolean;
  /** Source address of what leaves the network; empty = that of the interface it leaves by. */
  readonly sourceIp4: string;
  readonly sourceIp6: string;
  /** The bridge gets no IPv4 address and containers no default route from it. */
  readonly inhibitIPv4: boolean;
  /** Host interfaces from which every port of the containers may be reached. */
  readonly trustedInterfaces: readonly string[];
}

/** Bytes, 0 = none. The default bridge always names an MTU, so its own goes before that. */
export interface FallbackMtu {
  readonly networks: number;
  readonly defaultBridge: number;
}

const BRIDGE = 'com.docker.network.bridge.';
/** @throws invalid-parameter a known option has a bad value; unknown ones are left alone, as dockerd does */
export function parseBridgeOptions(
  networkId: string,
  options: DriverNetworkOptions,
  fallback: FallbackMtu = { networks: 0, defaultBridge: 0 },
): BridgeOptions {
  const { generic } = options;
  const namedMtu = mtuOf(generic['com.docker.network.driver.mtu']);
  const bridgeName = generic[`${BRIDGE}name`] || `br-${networkId.slice(0, 12)}`;
  const trustedInterfaces = (generic[`${BRIDGE}trusted_host_interfaces`] ?? '').split(':').filter(Boolean);
  for (const name of [bridgeName, ...trustedInterfaces]) assertInterfaceName(name);
  const hostIp = addressOf(generic, `${BRIDGE}host_binding_ipv4`);
  const isDefault = flag(generic, `${BRIDGE}default_bridge`, false);
  return {
    bridgeName,
    isDefault,
    icc: flag(generic, `${BRIDGE}enable_icc`, true),
    masquerade: flag(generic, `${BRIDGE}enable_ip_masquerade`, true),
    hostIp: hostIp === '0.0.0.0' ? '' : hostIp,
    mtu: isDefault ? fallback.defaultBridge || namedMtu : namedMtu || fallback.networks,
    interfacePrefix: generic['com.docker.network.container_iface_prefix'] || 'eth',
    gatewayMode4: gatewayMode(generic, `${BRIDGE}gateway_mode_ipv4`, options.internal),
    gatewayMode6: gatewayMode(generic, `${BRIDGE}gateway_mode_ipv6`, options.internal),
    internal: options.internal,
    sourceIp4: addressOf(generic, 'com.docker.network.host_ipv4', 4),
    sourceIp6: addressOf(generic, 'com.docker.network.host_ipv6', 6),
    inhibitIPv4: flag(generic, `${BRIDGE}inhibit_ipv4`, false),
    trustedInterfaces,
  };
}

// The kernel takes more than this, but such names end up in scripts of the packet filter.
function assertInterfaceName(name: string): void {
  if (!/^[\w.@+-]{1,15}$/.test(name))
    throw invalidParameter(`invalid interface name "${name}": 1 to 15 letters, digits and any of _.@+- are allowed`);
}

function addressOf(generic: Readonly<Record<string, string>>, name: string, version?: 4 | 6): string {
  const value = generic[name] ?? '';
  const valid =
    (version !== 6 && ipaddr.IPv4.isValidFourPartDecimal(value)) ||
    (version !== 4 && value.includes(':') && ipaddr.IPv6.isValid(value));
  if (value !== '' && !valid) throw parseError(name, value, 'nil ip');
  return value;
}

function parseError(name: string, value: string, reason: string): EngineError {
  return invalidParameter(`failed to parse ${name} value: ${value} (${reason})`);
}

function flag(generic: Readonly<Record<string, string>>, name: string, fallback: boolean): boolean {
  const value = generic[name];
  if (value === undefined || value === '') return fallback;
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw parseError(name, value, `strconv.ParseBool: parsing "${value}": invalid syntax`);
}

function mtuOf(value: string | undefined): number {
  if (value === undefined || value === '') return 0;
  if (!/^[+-]?\d{1,9}$/.test(value))
    throw parseError('com.docker.network.driver.mtu', value, `strconv.Atoi: parsing "${value}": invalid syntax`);
  const mtu = Number(value);
  if (mtu < 0 || (mtu > 0 && mtu < 68) || mtu > 65535) throw invalidParameter(`invalid MTU number: ${mtu}`);
  return mtu;
}

function gatewayMode(generic: Readonly<Record<string, string>>, name: string, internal: boolean): GatewayMode {
  const value = generic[name] || 'nat';
  if (!['nat', 'nat-unprotected', 'routed', 'isolated'].includes(value))
    throw parseError(name, value, `unknown gateway mode ${value}`);
  if (value === 'isolated' && !internal)
    throw invalidParameter("gateway mode 'isolated' can only be used for an internal network");
  return value as GatewayMode;
}
