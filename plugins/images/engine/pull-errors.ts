import { EngineError, notFound } from '@gantry/sdk';
import { familiarName, familiarString, type Reference } from '../reference/reference';
import { RegistryError } from '../registry/registry-error';

/** A registry's refusal in the words dockerd has for it; everything else as it is. */
export function pullError(error: unknown, reference: Reference): unknown {
  if (!(error instanceof EngineError)) return error;
  if (error.kind === 'unauthorized' && !(error instanceof RegistryError)) return accessDenied(reference, error);
  if (!(error instanceof RegistryError)) return named(error, reference);
  switch (error.code) {
    case 'MANIFEST_UNKNOWN':
      return notFound(`manifest for ${familiarString(reference)} not found: ${error.message}`, error);
    case 'NAME_UNKNOWN':
      return notFound(`repository ${familiarName(reference)} not found: ${error.message}`, error);
    case 'UNAUTHORIZED':
    case 'DENIED':
      return accessDenied(reference, error);
    case 'BLOB_UNKNOWN':
      return named(error, reference);
  }
  // A registry that answers 404 to HEAD cannot say which of the two it means.
  if (error.status === 404)
    return notFound(`manifest for ${familiarString(reference)} not found: manifest unknown: manifest unknown`, error);
  if (error.status === 401 || error.status === 403) return accessDenied(reference, error);
  return named(error, reference);
}

/** Says which image it was about, if the message does not. */
function named(error: EngineError, reference: Reference): EngineError {
  const shown = familiarString(reference);
  if (error.kind === 'cancelled' || error.message.includes(shown)) return error;
  // Clients look for this word at the beginning.
  const limited = /^toomanyrequests: /.test(error.message);
  const message = limited ? `${error.message} (pulling ${shown})` : `failed to pull ${shown}: ${error.message}`;
  const { retryAfterSeconds } = error;
  return new EngineError(error.kind, message, {
    cause: error,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

function accessDenied(reference: Reference, cause: EngineError): EngineError {
  return notFound(
    `pull access denied for ${familiarName(reference)}, repository does not exist or may require 'docker login': ${cause.message}`,
    cause,
  );
}
