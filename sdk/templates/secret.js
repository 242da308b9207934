const { mkdir, readFile } = require('node:fs/promises');
const { join } = require('node:path');
const { invalidParameter, notFound } = require('@gantry/sdk');

/**
 * Secrets are files below `root`.
 *
 * @param {string} root
 * @returns {Promise<import('@gantry/sdk').SecretProvider>}
 */
exports.openDriver = async (root) => {
  await mkdir(root, { recursive: true });
  return {
    async getSecret({ secretName }) {
      if (!/^\w[\w.-]*$/.test(secretName)) throw invalidParameter(`"${secretName}" cannot be a file`);
      const value = await readFile(join(root, secretName)).catch(() => {
        throw notFound(`no such secret: ${secretName}`);
      });
      return { value, doNotReuse: false };
    },
  };
};
