/** What a call to Google needs. */
export interface GoogleAccess {
  readonly project: string | undefined;
  /** A fresh token, or the last while it holds. */
  token(): Promise<string>;
}

const SCOPE = 'https://www.googleapis.com/auth/logging.write';

/** Loaded with the first container that logs there. */
const googleLibrary = () => require('google-auth-library') as typeof import('google-auth-library');

/**
 * The daemon's own credentials: the file that GOOGLE_APPLICATION_CREDENTIALS names, those of `gcloud`, or the machine's.
 *
 * @see Google Cloud, "Application Default Credentials"
 */
export async function defaultAccess(): Promise<GoogleAccess> {
  const { GoogleAuth } = googleLibrary();
  const auth = new GoogleAuth({ scopes: SCOPE });
  const project = await auth.getProjectId().catch(() => undefined);
  return {
    project,
    async token() {
      const token = await auth.getAccessToken();
      if (!token) throw new Error('there are no credentials');
      return token;
    },
  };
}
