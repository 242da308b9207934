import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

interface Schema {
  readonly $ref?: string;
  readonly allOf?: readonly Schema[];
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
}

interface ApiSchema {
  readonly definitions: Readonly<Record<string, Schema>>;
  readonly paths: Readonly<Record<string, Record<string, { parameters?: { in: string; schema?: Schema }[] }>>>;
}

/** Every field of the requests that `requestFields` lists, as the API's own schema has them. */
export function schemaFields(path: string): string[] {
  const api = parse(readFileSync(path, 'utf8')) as ApiSchema;
  const resolve = (schema: Schema): Schema => {
    const name = schema.$ref?.replace('#/definitions/', '');
    return name === undefined ? schema : resolve(api.definitions[name]!);
  };
  const walk = (given: Schema, at: string): string[] => {
    const schema = resolve(given);
    const parts = (schema.allOf ?? []).flatMap((part) => walk(part, at));
    const properties = Object.entries(schema.properties ?? {}).flatMap(([name, value]) =>
      walk(value, at === '' ? name : `${at}.${name}`),
    );
    if (parts.length + properties.length > 0) return [...parts, ...properties];
    if (schema.items) return inside(schema.items, `${at}[]`);
    const values = schema.additionalProperties;
    return typeof values === 'object' ? inside(values, `${at}{}`) : [at];
  };
  // A list of plain values is one field; a list of objects is the fields of these.
  const inside = (schema: Schema, at: string): string[] => {
    const fields = walk(schema, at);
    return fields.every((field) => /^[[\]{}]*$/.test(field.slice(at.length))) ? [at] : fields;
  };
  const body = (operation: string): Schema =>
    api.paths[operation]!.post!.parameters!.find((parameter) => parameter.in === 'body')!.schema!;
  const named = (name: string, schema: Schema) => walk(schema, name);
  return [
    ...named('Config', { $ref: '#/definitions/ContainerConfig' }),
    ...named('HostConfig', { $ref: '#/definitions/HostConfig' }),
    ...named('NetworkingConfig', { $ref: '#/definitions/NetworkingConfig' }),
    ...named('Update', body('/containers/{id}/update')),
    ...named('Exec', body('/containers/{id}/exec')),
    ...named('ExecStart', body('/exec/{id}/start')),
  ];
}
