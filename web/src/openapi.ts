// The service's own description, /openapi.json, as the API's view shows it. Pure: no element is
// made here. Read with care, as the document of another version may hold what this one does not.

export interface Document {
  info?: { title?: string; version?: string; description?: string };
  tags?: { name: string; description?: string }[];
  paths: Record<string, Record<string, RawOperation>>;
  components?: { schemas?: Record<string, Schema> };
}

interface RawOperation {
  tags?: string[];
  summary?: string;
  description?: string;
  operationId?: string;
  parameters?: Parameter[];
  requestBody?: { description?: string; required?: boolean; content?: Content };
  responses?: Record<string, { description?: string; content?: Content }>;
}

export type Content = Record<string, { schema?: Schema }>;

export interface Parameter {
  name: string;
  in: string;
  description?: string;
  required?: boolean;
  schema?: Schema;
}

export interface Schema {
  $ref?: string;
  type?: string | string[];
  description?: string;
  format?: string;
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
}

export interface Operation extends RawOperation {
  id: string;
  method: string;
  path: string;
  group: string;
}

/** A piece of a type in words; `ref` names a schema. */
export type Piece = string | { ref: string };

const METHODS = ["get", "post", "put", "patch", "delete"];

/** Every route, in the document's order of groups, then of paths. */
export function operations({ paths, tags = [] }: Document): Operation[] {
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    METHODS.flatMap((method) => {
      const raw = methods[method];
      return raw ? [{ ...raw, id: raw.operationId ?? `${method} ${path}`, method, path, group: raw.tags?.[0] ?? "" }] : [];
    }));
  const rank = (group: string) => (tags.findIndex((t) => t.name === group) + 1) || Infinity;
  // Sorting is stable: within a group the paths stay as they are.
  return all.sort((a, b) => (rank(a.group) === rank(b.group) ? 0 : rank(a.group) - rank(b.group)));
}

export function schemas({ components }: Document): [string, Schema][] {
  return Object.entries(components?.schemas ?? {});
}

/** The name in `#/components/schemas/NAME`. */
export function target(ref: string): string {
  return ref.slice(ref.lastIndexOf("/") + 1);
}

/** The type in words: `list of Test`, `integer, at least 0`, `text or null`. */
export function pieces(schema: Schema | undefined): Piece[] {
  if (!schema) return ["anything"];
  const { $ref, oneOf, anyOf, allOf, items, additionalProperties: rest } = schema;
  if ($ref) return [{ ref: target($ref) }];
  const choice = oneOf ?? anyOf;
  if (choice) return among(choice, " or ");
  if (allOf) return among(allOf, " and ");
  if (schema.const !== undefined) return [JSON.stringify(schema.const)];
  if (schema.enum) return [schema.enum.map((v) => JSON.stringify(v)).join(" or ")];
  const types = schema.type === undefined ? [] : [schema.type].flat();
  const words = types.flatMap((type, i): Piece[] => {
    const or = i > 0 ? [" or "] : [];
    if (type === "array") return [...or, "list of ", ...pieces(items)];
    if (type === "object" && typeof rest === "object") return [...or, "object of ", ...pieces(rest)];
    return [...or, type === "string" ? "text" : type];
  });
  return [...(words.length > 0 ? words : ["anything"]), ...bounds(schema)];
}

function among(parts: Schema[], word: string): Piece[] {
  return parts.flatMap((part, i) => [...(i > 0 ? [word] : []), ...pieces(part)]);
}

function bounds({ minimum, maximum, minLength, maxLength, default: by }: Schema): string[] {
  const all: [string, unknown][] = [["at least", minimum], ["at most", maximum], ["length at least", minLength], ["length at most", maxLength]];
  const said = all.flatMap(([words, value]) => (value === undefined ? [] : [`, ${words} ${String(value)}`]));
  return by === undefined ? said : [...said, `, else ${JSON.stringify(by)}`];
}

/** Whether there is more to show of it than its type in words. */
export function hasParts(schema: Schema): boolean {
  return !!(schema.properties || schema.oneOf || schema.anyOf || schema.allOf);
}

/** All that a search may find, in lower case. */
export function searchable(part: unknown): string {
  return JSON.stringify(part).toLowerCase();
}

/** Whether each word of the search is in there. */
export function matches(haystack: string, search: string): boolean {
  return search.toLowerCase().split(/\s+/).every((word) => haystack.includes(word));
}
