/**
 * Refuses what changes things, except for what `allowed` lists: methods and beginnings of paths without their version.
 *
 * @returns {Promise<import('@gantry/sdk').AuthorizationPlugin>}
 */
exports.openDriver = async () => {
  const allowed = ['POST /auth', 'POST /containers/create', 'POST /containers/'];
  return {
    async request({ method, uri }) {
      const asked = `${method} ${uri.replace(/^\/v\d+\.\d+/, '')}`;
      if (['GET', 'HEAD'].includes(method) || allowed.some((beginning) => asked.startsWith(beginning)))
        return { allow: true };
      return { allow: false, message: `${asked} is not on the list` };
    },
    // What is shown to the client could be refused here; it has happened already.
    response: async () => ({ allow: true }),
  };
};
