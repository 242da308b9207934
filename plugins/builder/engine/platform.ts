import { arch } from 'node:os';
import { invalidParameter } from '@gantry/sdk';

const machineNames: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };
const otherNames: Readonly<Record<string, string>> = { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64' };

/** `os/architecture[/variant]` of this machine. */
export const hostPlatform = (): string => `linux/${machineNames[arch()] ?? arch()}`;

/** A platform in full: `arm64` → `linux/arm64`. @throws invalid-parameter */
export function parsePlatform(text: string): string {
  const parts = text.toLowerCase().split('/');
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part)))
    throw invalidParameter(
      `failed to parse platform ${text}: "${text}" is an invalid component of "${text}": platform specifier component must match "^[A-Za-z0-9_.-]+$"`,
    );
  const [first, second, variant] = parts as [string, string | undefined, string | undefined];
  if (second === undefined)
    return first === 'linux'
      ? hostPlatform()
      : first === 'windows'
        ? `windows/amd64`
        : `linux/${otherNames[first] ?? first}`;
  return [first, otherNames[second] ?? second, variant].filter(Boolean).join('/');
}

/** The arguments every build has, declared or not before the first FROM. @see Dockerfile reference, "Automatic platform ARGs" */
export function platformArgs(target: string): Record<string, string> {
  const parts = (prefix: string, platform: string) => {
    const [os = '', architecture = '', variant = ''] = platform.split('/');
    return {
      [`${prefix}PLATFORM`]: platform,
      [`${prefix}OS`]: os,
      [`${prefix}ARCH`]: architecture,
      [`${prefix}VARIANT`]: variant,
    };
  };
  return { ...parts('BUILD', hostPlatform()), ...parts('TARGET', target) };
}
