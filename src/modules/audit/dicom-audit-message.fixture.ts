import sax from 'sax';

/** An element as an XML parser of somebody else's reads it. */
export interface XmlElement {
  name: string;
  attributes: Record<string, string>;
  children: XmlElement[];
  text: string;
}

/** @throws where it is not well-formed */
export function parseXml(xml: string): XmlElement {
  const parser = sax.parser(true);
  const top: XmlElement = { name: '', attributes: {}, children: [], text: '' };
  const open = [top];
  parser.onerror = (error) => {
    throw error;
  };
  parser.onopentag = ({ name, attributes }) => {
    const element = { name, attributes: { ...attributes } as Record<string, string>, children: [], text: '' };
    open.at(-1)!.children.push(element);
    open.push(element);
  };
  parser.onclosetag = () => void open.pop();
  parser.ontext = (text) => (open.at(-1)!.text += text);
  parser.write(xml).close();
  if (top.children.length !== 1) throw new Error('not one root element');
  return top.children[0]!;
}

export const childrenNamed = (element: XmlElement, name: string): XmlElement[] =>
  element.children.filter((child) => child.name === name);

/** What the pair of an object's detail says. */
export const detailsIn = (element: XmlElement): Record<string, string> =>
  Object.fromEntries(
    childrenNamed(element, 'ParticipantObjectDetail').map(({ attributes }) => [
      attributes.type!,
      Buffer.from(attributes.value!, 'base64').toString(),
    ]),
  );

interface Pattern {
  /** Attributes by name; an optional one ends in `?`. */
  attributes: Record<string, RegExp>;
  /** Children's names, in order, each followed by a blank. */
  children: RegExp;
  text?: RegExp;
}

const ANY = /^[^]*$/;
/** RELAX NG's token is any text, compared without regard to white space. */
const TOKEN = ANY;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const oneOf = (last: number) =>
  new RegExp(`^(${Array.from({ length: last }, (_, at) => at + 1).join('|')})$`);
const CODED: Pattern = {
  attributes: { 'csd-code': TOKEN, codeSystemName: TOKEN, 'displayName?': TOKEN, originalText: TOKEN },
  children: /^$/,
};

/** The RELAX NG schema of PS3.15 A.5.1.1, by element, as far as it goes for what is written here. */
const SCHEMA: Record<string, Pattern> = {
  AuditMessage: {
    attributes: {},
    children:
      /^EventIdentification (ActiveParticipant )+AuditSourceIdentification (ParticipantObjectIdentification )*$/,
  },
  EventIdentification: {
    attributes: {
      'EventActionCode?': /^[CRUDE]$/,
      EventDateTime: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/,
      EventOutcomeIndicator: /^(0|4|8|12)$/,
    },
    children: /^EventID (EventTypeCode )*(EventOutcomeDescription )?$/,
  },
  EventID: CODED,
  EventTypeCode: CODED,
  EventOutcomeDescription: { attributes: {}, children: /^$/, text: ANY },
  ActiveParticipant: {
    attributes: {
      UserID: ANY,
      'AlternativeUserID?': ANY,
      'UserName?': ANY,
      UserIsRequestor: /^(true|false)$/,
      'NetworkAccessPointID?': TOKEN,
      'NetworkAccessPointTypeCode?': oneOf(5),
    },
    children: /^(RoleIDCode )*(MediaIdentifier )?$/,
  },
  RoleIDCode: CODED,
  MediaIdentifier: { attributes: {}, children: /^MediaType $/ },
  MediaType: CODED,
  AuditSourceIdentification: {
    attributes: { 'AuditEnterpriseSiteID?': TOKEN, AuditSourceID: TOKEN },
    children: /^(AuditSourceTypeCode )*$/,
  },
  AuditSourceTypeCode: { attributes: { 'csd-code': oneOf(9) }, children: /^$/ },
  ParticipantObjectIdentification: {
    attributes: {
      ParticipantObjectID: TOKEN,
      'ParticipantObjectTypeCode?': oneOf(4),
      'ParticipantObjectTypeCodeRole?': oneOf(26),
      'ParticipantObjectDataLifeCycle?': oneOf(15),
      'ParticipantObjectSensitivity?': TOKEN,
    },
    children:
      /^ParticipantObjectIDTypeCode (ParticipantObjectName |ParticipantObjectQuery )(ParticipantObjectDetail )*$/,
  },
  ParticipantObjectIDTypeCode: CODED,
  ParticipantObjectName: { attributes: {}, children: /^$/, text: TOKEN },
  ParticipantObjectQuery: { attributes: {}, children: /^$/, text: BASE64 },
  ParticipantObjectDetail: { attributes: { type: TOKEN, value: BASE64 }, children: /^$/ },
};

/** What the schema forbids of it; empty where it is valid. */
export function schemaProblems(element: XmlElement, path = element.name): string[] {
  const pattern = Object.hasOwn(SCHEMA, element.name) ? SCHEMA[element.name] : undefined;
  if (!pattern) return [`${path}: no such element`];
  const problems: string[] = [];
  const names = Object.keys(pattern.attributes);
  for (const name of names) {
    const bare = name.replace('?', '');
    const value = element.attributes[bare];
    if (value === undefined ? bare === name : !pattern.attributes[name]!.test(value))
      problems.push(`${path}/@${bare}: ${value ?? 'is missing'}`);
  }
  for (const name of Object.keys(element.attributes))
    if (!names.includes(name) && !names.includes(`${name}?`))
      problems.push(`${path}/@${name}: no such attribute`);
  const children = element.children.map(({ name }) => `${name} `).join('');
  if (!pattern.children.test(children)) problems.push(`${path}: ${children}`);
  if (!(pattern.text ?? /^$/).test(element.text)) problems.push(`${path}: ${element.text}`);
  return [
    ...problems,
    ...element.children.flatMap((child) => schemaProblems(child, `${path}/${child.name}`)),
  ];
}
