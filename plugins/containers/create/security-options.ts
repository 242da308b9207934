import { invalidParameter } from '@gantry/sdk';
import type { HostConfig } from '../config/container-config';
import type { HostFacts } from '../spec/host-facts';

/** `key=value`, or the older `key:value`. */
export function splitSecurityOption(option: string): { key: string; value: string } {
  const separator = option.includes('=') ? option.indexOf('=') : option.indexOf(':');
  if (separator < 0) return { key: option, value: '' };
  return { key: option.slice(0, separator), value: option.slice(separator + 1) };
}

/** Profiles that mean "whatever there is without asking". */
const WITHOUT_APPARMOR = new Set(['unconfined', 'docker-default']);

/** What an SELinux label is made of. */
const LABEL = /^(user|role|type|level|filetype):.|^nested$/;

/**
 * @returns warnings for the client
 * @throws invalid-parameter  naming the option
 */
export function validateSecurity(host: HostConfig, facts: Pick<HostFacts, 'appArmor'>): string[] {
  const warnings: string[] = [];
  for (const option of host.SecurityOpt ?? []) {
    const { key, value } = splitSecurityOption(option);
    const unknown = () => invalidParameter(`invalid --security-opt 2: "${option}"`);
    switch (key) {
      case 'no-new-privileges':
        if (option !== key && !BOOLEANS.has(value)) throw unknown();
        break;
      case 'seccomp':
        if (value === '') throw unknown();
        break;
      case 'apparmor':
        if (value === '') throw unknown();
        if (facts.appArmor === undefined && !WITHOUT_APPARMOR.has(value))
          throw invalidParameter(
            `invalid --security-opt: "${option}": this kernel has no AppArmor; leave the option out, or use apparmor=unconfined`,
          );
        break;
      case 'disable':
        if (option !== key) throw unknown();
        break;
      case 'label':
        if (value === 'disable') break;
        if (!LABEL.test(value)) throw unknown();
        // As dockerd does where there is no SELinux: compose files are shared with machines that have it.
        warnings.push(`--security-opt ${option} has no effect: containers are not labeled for SELinux here`);
        break;
      case 'writable-cgroups':
        if (!BOOLEANS.has(value)) throw unknown();
        break;
      case 'systempaths':
        if (value !== 'unconfined') throw unknown();
        break;
      default:
        throw /[=:]/.test(option) ? unknown() : invalidParameter(`invalid --security-opt 1: "${option}"`);
    }
  }
  return warnings;
}

/** As Go's strconv.ParseBool reads them. */
const BOOLEANS = new Set(['1', 't', 'T', 'TRUE', 'true', 'True', '0', 'f', 'F', 'FALSE', 'false', 'False']);
const FALSES = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

export const meansFalse = (value: string): boolean => FALSES.has(value);
