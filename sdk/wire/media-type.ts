/** What the engine accepts and plugins should answer with. Neither side insists on it (P-CALL-2, P-CALL-4). */
export const pluginMediaType = 'application/vnd.docker.plugins.v1.2+json';
