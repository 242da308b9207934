import { type DriverNetworkOptions, invalidParameter } from '@gantry/sdk';
import type { IpvlanFlag, IpvlanMode, MacvlanMode } from '@gantry/sdk/linux/rtnetlink-kinds';

/** What a container's interface is made as. */
export type LinkMode =
  | { readonly kind: 'macvlan'; readonly mode: MacvlanMode }
  | { readonly kind: 'ipvlan'; readonly mode: IpvlanMode; readonly flag: IpvlanFlag };

/** A network's options, parsed. */
export interface ParentOptions {
  /** Host interface, `interface.vlan`, or the name of a dummy that stands in for one. */
  readonly parent: string;
  /** No parent was named: the network reaches nothing but itself. */
  readonly isDummy: boolean;
  readonly link: LinkMode;
  readonly internal: boolean;
}

/** @throws invalid-parameter as dockerd words it; unknown options are left alone, as dockerd does */
export function parseParentOptions(
  kind: LinkMode['kind'],
  networkId: string,
  { generic, internal }: DriverNetworkOptions,
): ParentOptions {
  const parent = generic.parent ?? '';
  if (parent === 'lo') throw invalidParameter(`loopback interface is not a valid ${kind} parent link`);
  if (parent !== '' && !/^[^\s/]{1,15}$/.test(parent))
    throw invalidParameter(`invalid parent interface "${parent}": a name of up to 15 characters is expected`);
  const isDummy = parent === '';
  return {
    parent: isDummy ? `dm-${networkId.slice(0, 12)}` : parent,
    isDummy,
    link: kind === 'macvlan' ? macvlanMode(generic) : ipvlanMode(generic),
    internal: internal || isDummy,
  };
}

function macvlanMode(generic: Readonly<Record<string, string>>): LinkMode {
  const mode = oneOf(generic.macvlan_mode || 'bridge', ['bridge', 'private', 'vepa', 'passthru']);
  if (mode !== undefined) return { kind: 'macvlan', mode };
  throw invalidParameter(
    `requested macvlan mode '${generic.macvlan_mode}' is not valid, 'bridge' mode is the macvlan driver default`,
  );
}

function ipvlanMode(generic: Readonly<Record<string, string>>): LinkMode {
  const mode = oneOf(generic.ipvlan_mode || 'l2', ['l2', 'l3', 'l3s']);
  if (mode === undefined)
    throw invalidParameter(
      `requested ipvlan mode '${generic.ipvlan_mode}' is not valid, 'l2' mode is the ipvlan driver default`,
    );
  const flag = oneOf(generic.ipvlan_flag || 'bridge', ['bridge', 'private', 'vepa']);
  if (flag === undefined)
    throw invalidParameter(
      `requested ipvlan flag '${generic.ipvlan_flag}' is not valid, 'bridge' is the ipvlan driver default`,
    );
  return { kind: 'ipvlan', mode, flag };
}

function oneOf<const T extends string>(value: string, known: readonly T[]): T | undefined {
  return known.find((one) => one === value);
}

/** `eth0.10` as the interface and the VLAN id. @throws invalid-parameter as dockerd words it */
export function parseVlanName(name: string): { readonly parent: string; readonly id: number } {
  const [parent = '', digits, ...more] = name.split('.');
  if (digits === undefined || more.length > 0 || parent === '')
    throw invalidParameter(`invalid subinterface vlan name ${name}, example formatting is eth0.10`);
  if (!/^\d+$/.test(digits))
    throw invalidParameter(`unable to parse a valid vlan id from: ${digits} (ex. eth0.10 for vlan 10)`);
  const id = Number(digits);
  if (id < 1 || id > 4094) throw invalidParameter(`vlan id must be between 1-4094, received: ${id}`);
  return { parent, id };
}
