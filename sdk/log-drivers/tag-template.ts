import type { LogInfo } from '../contracts/log-driver';
import { invalidParameter } from '../errors';

const SHORT_ID = 12;

const fields: Readonly<Record<string, (info: LogInfo) => string>> = {
  ID: (info) => info.containerId.slice(0, SHORT_ID),
  FullID: (info) => info.containerId,
  Name: (info) => info.containerName,
  ImageID: (info) => info.imageId.replace(/^sha256:/, '').slice(0, SHORT_ID),
  ImageFullID: (info) => info.imageId,
  ImageName: (info) => info.imageName,
  DaemonName: () => 'docker',
  Command: (info) => [info.entrypoint, ...info.args].join(' '),
};

const functions: Readonly<Record<string, (text: string) => string>> = {
  json: (text) => JSON.stringify(text),
  lower: (text) => text.toLowerCase(),
  upper: (text) => text.toUpperCase(),
  title: (text) => text.replace(/(^|\s)\S/g, (start) => start.toUpperCase()),
};

/**
 * Fills a tag template: text with `{{.Field}}` and `{{function .Field}}` in it.
 *
 * @throws invalid-parameter naming what is not understood
 * @see Docker, "Customize log driver output"
 */
export function renderTag(template: string, info: LogInfo): string {
  return template.replace(/\{\{(.*?)\}\}|\{\{.*$/gs, (whole, expression: string | undefined) => {
    const [, name, field] = /^-?\s*(?:(\w+)\s+)?\.(\w+)\s*-?$/.exec(expression?.trim() ?? '') ?? [];
    const value = field === undefined ? undefined : fields[field];
    const convert = name === undefined ? (text: string) => text : functions[name];
    if (value === undefined || convert === undefined)
      throw invalidParameter(
        `invalid log tag '${template}': '${whole}' is not supported; known are ${Object.keys(fields)
          .map((known) => `.${known}`)
          .join(', ')} and the functions ${Object.keys(functions).join(', ')}`,
      );
    return convert(value(info));
  });
}
