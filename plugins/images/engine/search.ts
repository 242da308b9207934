import { invalidParameter, systemError } from '@gantry/sdk';
import { defaultDomain } from '../reference/reference';
import type { Credentials } from '../registry/credentials';
import { RegistryError } from '../registry/registry-error';
import type { RepositoryClient } from '../registry/repository-client';
import { isObject } from '../store/image-config';
import { booleanFilter, type Filters } from './filters';
import type { Stores } from './stores';

/** A line of GET /images/search. @see Docker Engine API, ImageSearch */
export interface SearchResult {
  readonly description: string;
  readonly is_official: boolean;
  readonly is_automated: boolean;
  readonly name: string;
  readonly star_count: number;
}

export interface SearchRequest {
  /** A word, or `host/word` for another registry than the default one. */
  readonly term: string;
  readonly limit: number;
  readonly filters: Filters;
  readonly credentials: Credentials;
}

/** The default registry answers searches here. */
const searchIndex = 'index.docker.io';
const maximumLimit = 100;

/**
 * Asks a registry for repositories that match a term.
 *
 * @throws invalid-parameter  no term, or a limit or filter that makes no sense
 * @throws system, rate-limited  the registry cannot be reached, or has no search
 */
export async function searchRegistry(
  { term, limit, filters, credentials }: SearchRequest,
  stores: Stores,
  signal: AbortSignal,
): Promise<SearchResult[]> {
  if (limit < 1 || limit > maximumLimit)
    throw invalidParameter(`limit ${limit} is outside the range of [1, ${maximumLimit}]`);
  if (/^https?:\/\//.test(term))
    throw invalidParameter(`invalid repository name: repository name (${term}) should not have a scheme`);
  const wanted = wantedResults(filters);
  const { domain, words } = splitTerm(term);
  const access = { domain, path: '', credentials, actions: 'pull' as const };
  const probe = (client: RepositoryClient) => client.search(words, limit, signal).catch(withoutIndex);
  const { result } = await stores.registries.connect(access, probe, signal);
  return result.map(readResult).filter(wanted);
}

/** `localhost:5000/web` is the word "web" at another registry; `library/web` is two words at the default one. */
function splitTerm(term: string): { domain: string; words: string } {
  const slash = term.indexOf('/');
  const host = slash < 0 ? '' : term.slice(0, slash);
  const isHost = host === 'localhost' || host.includes('.') || host.includes(':');
  if (!isHost) return { domain: searchIndex, words: term };
  const isDefault = host === defaultDomain || host === searchIndex;
  return { domain: isDefault ? searchIndex : host, words: term.slice(slash + 1) };
}

function wantedResults(filters: Filters): (result: SearchResult) => boolean {
  const official = booleanFilter(filters, 'is-official');
  const automated = booleanFilter(filters, 'is-automated');
  const stars = (filters.get('stars') ?? []).map((text) => {
    if (!/^\d+$/.test(text))
      throw invalidParameter(`invalid filter 'stars=${text}': strconv.Atoi: parsing "${text}": invalid syntax`);
    return Number(text);
  });
  const atLeast = Math.max(0, ...stars);
  return (result) =>
    (official === undefined || result.is_official === official) &&
    (automated === undefined || result.is_automated === automated) &&
    result.star_count >= atLeast;
}

function withoutIndex(error: unknown): never {
  if (!(error instanceof RegistryError) || error.code !== '') throw error;
  throw systemError(`Unexpected status code ${error.status}`, error);
}

function readResult(value: unknown): SearchResult {
  if (!isObject(value) || typeof value.name !== 'string')
    throw systemError('the registry answered the search with something else than repositories');
  return {
    star_count: typeof value.star_count === 'number' ? value.star_count : 0,
    is_official: value.is_official === true,
    name: value.name,
    // Registries have no automated builds any more.
    is_automated: false,
    description: typeof value.description === 'string' ? value.description : '',
  };
}
