import { readFileSync } from 'node:fs';
import type { FuzzRoute } from './requests';

// biome-ignore lint/suspicious/noExplicitAny: a schema is any document
type Node = any;

/**
 * Routes of an Engine API description (Swagger 2.0, YAML): query parameters and bodies that fit their schemas. The
 * document is not part of this project; the caller names it.
 */
export function schemaRoutes(path: string): FuzzRoute[] {
  const { parse } = require('yaml') as { parse(text: string): Node };
  const document = parse(readFileSync(path, 'utf8'));
  return Object.entries<Node>(document.paths).flatMap(([route, operations]) =>
    Object.entries<Node>(operations).map(([method, { parameters = [] }]): FuzzRoute => {
      const body = parameters.find((parameter: Node) => parameter.in === 'body');
      return {
        method: method.toUpperCase(),
        path: route,
        query: parameters.filter((parameter: Node) => parameter.in === 'query').map(({ name }: Node) => name),
        ...(body === undefined ? {} : { body: example(document, body.schema, 0) }),
      };
    }),
  );
}

/** A value that fits the schema: its example where it has one. */
function example(document: Node, schema: Node, depth: number): unknown {
  if (schema === undefined || depth > 8) return null;
  if (schema.$ref !== undefined) {
    const target = String(schema.$ref)
      .slice(2)
      .split('/')
      .reduce((node, key) => node?.[key], document);
    return example(document, target, depth + 1);
  }
  if (schema.example !== undefined) return schema.example;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.allOf !== undefined)
    return Object.assign({}, ...schema.allOf.map((part: Node) => example(document, part, depth + 1)));
  if (schema.type === 'array') return [example(document, schema.items, depth + 1)];
  if (schema.properties !== undefined)
    return Object.fromEntries(
      Object.entries<Node>(schema.properties).map(([key, member]) => [key, example(document, member, depth + 1)]),
    );
  if (schema.additionalProperties) return { key: example(document, schema.additionalProperties, depth + 1) };
  return { integer: 1, number: 1.5, boolean: true, string: 'text', object: {} }[schema.type as string] ?? null;
}
