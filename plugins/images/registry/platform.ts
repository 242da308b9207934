import { arch, endianness } from 'node:os';
import { invalidParameter } from '@gantry/sdk';
import { isObject } from '../store/image-config';

/** @see OCI image index specification, "platform" */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

const machineNames: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  mipsel: 'mipsle',
};
const archNames: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  armhf: 'arm',
  armel: 'arm',
  i386: '386',
};

const setOf = (words: string) => new Set(words.split(' '));
/** What Go knows: one of these may stand alone. */
const systems = setOf(
  'aix android darwin dragonfly freebsd hurd illumos ios js linux macos nacl netbsd openbsd plan9 solaris windows zos',
);
const architectures = setOf(
  '386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc ppc64 ' +
    'ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm',
);

/** What this machine runs. */
export function hostPlatform(): Platform {
  const machine = arch();
  if (machine === 'ppc64' && endianness() === 'BE') return { os: 'linux', architecture: 'ppc64' };
  const architecture = machineNames[machine] ?? machine;
  return normalize({ os: 'linux', architecture });
}

/** `linux/arm64/v8`, `arm64`, `linux`. @throws invalid-parameter */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/');
  const invalid = (words: string) => invalidParameter(`${words}: invalid argument`);
  if (parts.length > 3) throw invalid(`"${text}": cannot parse platform specifier`);
  const [system = ''] = parts;
  if (!/^[a-z0-9_.-]+$/.test(system)) throw invalid(`"${system}" is an invalid OS component of "${text}"`);
  const odd = parts.find((part) => !/^[a-z0-9_.-]+$/.test(part));
  if (odd !== undefined)
    throw invalid(
      `"${odd}" is an invalid component of "${text}": platform specifier component must match "^[A-Za-z0-9_.-]+$"`,
    );
  const host = hostPlatform();
  const [first, second, variant] = parts as [string, string | undefined, string | undefined];
  if (second !== undefined) return normalize({ os: first, architecture: second, variant });
  if (systems.has(first)) return { ...host, os: first };
  const alone = normalize({ os: host.os, architecture: first });
  if (!architectures.has(alone.architecture)) throw invalid(`"${text}": unknown operating system or architecture`);
  return alone;
}

/** A platform given as JSON by newer clients: `{"os":"linux","architecture":"arm64"}`. @throws invalid-parameter */
export function parsePlatformJson(text: string): Platform {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!isObject(value) || typeof value.os !== 'string' || typeof value.architecture !== 'string')
    throw invalidParameter(`invalid platform ${text}: expected an object with os and architecture`);
  return normalize({
    os: value.os,
    architecture: value.architecture,
    variant: typeof value.variant === 'string' && value.variant !== '' ? value.variant : undefined,
  });
}

/** Whether an image for `have` can be taken where `wanted` is asked for. */
export function matchPlatform(
  wanted: Platform,
  have: { readonly os: string; readonly architecture: string; readonly variant?: string },
): boolean {
  return platformRank(wanted, have) >= 0;
}

/** -1 = does not run; otherwise higher is better: an older ARM variant runs on a newer one. */
export function platformRank(
  wanted: Platform,
  have: { readonly os: string; readonly architecture: string; readonly variant?: string },
): number {
  const a = normalize(wanted);
  const b = normalize({ os: have.os, architecture: have.architecture, variant: have.variant || undefined });
  if (a.os !== b.os || a.architecture !== b.architecture) return -1;
  if (a.variant === b.variant) return 100;
  const level = (variant: string | undefined) => Number(/^v(\d+)/.exec(variant ?? '')?.[1] ?? Number.NaN);
  const wantedLevel = level(a.variant ?? defaultVariant(a.architecture));
  const haveLevel = level(b.variant ?? defaultVariant(b.architecture));
  if (Number.isNaN(wantedLevel) || Number.isNaN(haveLevel)) return a.variant === undefined ? 0 : -1;
  return haveLevel <= wantedLevel ? haveLevel : -1;
}

export function platformString(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
}

function normalize(platform: Platform): Platform {
  const os = platform.os.toLowerCase();
  const architecture = archNames[platform.architecture.toLowerCase()] ?? platform.architecture.toLowerCase();
  const variant = platform.variant?.toLowerCase() || undefined;
  if (architecture === 'arm64' && (variant === 'v8' || variant === '8')) return { os, architecture };
  if (architecture === 'amd64' && variant === 'v1') return { os, architecture };
  if (architecture === 'arm' && variant === undefined) return { os, architecture, variant: 'v7' };
  return { os, architecture, variant };
}

function defaultVariant(architecture: string): string | undefined {
  if (architecture === 'amd64') return 'v1';
  if (architecture === 'arm64') return 'v8';
  return undefined;
}
