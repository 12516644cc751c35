import { z } from 'zod';

// The primitive types of FHIR R4 (https://hl7.org/fhir/R4/datatypes.html), by their published patterns.
const string = z.string().regex(/^[ \r\n\t\S]+$/);
const code = z.string().regex(/^[^\s]+(\s[^\s]+)*$/);
const uri = z.string().regex(/^[a-z][a-z0-9+.-]*:\S+$/i);
const id = z.string().regex(/^[A-Za-z0-9\-.]{1,64}$/);
const instant = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/);
const base64 = z.base64();

const coding = z.strictObject({
  system: uri.optional(),
  version: string.optional(),
  code: code.optional(),
  display: string.optional(),
});
const DCM = 'http://dicom.nema.org/resources/ontology/DCM';
/** Of a code system that is ours to fill, or a code the value set has. */
const codingOf = (system: string, codes: RegExp) =>
  coding.refine(
    (given) =>
      given.system?.startsWith('urn:scandock:') || (given.system === system && codes.test(given.code!)),
  );
const codeable = z.strictObject({ coding: z.array(coding).min(1).optional(), text: string.optional() });
const reference = z
  .strictObject({
    reference: string.optional(),
    type: uri.optional(),
    identifier: z.strictObject({ system: uri, value: string }).optional(),
    display: string.optional(),
  })
  .refine((given) => Object.keys(given).length > 0);

const detail = z
  .strictObject({ type: string, valueString: string.optional(), valueBase64Binary: base64.optional() })
  .refine((given) => (given.valueString === undefined) !== (given.valueBase64Binary === undefined)); // value[x] 1..1

const terminology = (name: string) => `http://terminology.hl7.org/CodeSystem/${name}`;

/**
 * StructureDefinition AuditEvent of FHIR 4.0.1: its elements, cardinalities, invariants and the codes of its bindings, as
 * far as they are not general to all resources. Unknown elements are refused, as they are by the standard.
 */
export const fhirAuditEvent = z.strictObject({
  resourceType: z.literal('AuditEvent'),
  id: id.optional(),
  type: codingOf(DCM, /^11010[0-9]$|^11011[0-4]$/),
  subtype: z
    .array(codingOf(DCM, /^1101(2[0-9]|3[0-9]|4[0-2])$/))
    .min(1)
    .optional(),
  action: z.enum(['C', 'R', 'U', 'D', 'E']).optional(),
  recorded: instant,
  outcome: z.enum(['0', '4', '8', '12']).optional(),
  outcomeDesc: string.optional(),
  agent: z
    .array(
      z.strictObject({
        type: codeable.optional(),
        role: z.array(codeable).min(1).optional(),
        who: reference.optional(),
        altId: string.optional(),
        name: string.optional(),
        requestor: z.boolean(),
        policy: z.array(uri).min(1).optional(),
        media: codingOf(DCM, /^1100(10|3[0-8])$/).optional(),
        network: z
          .strictObject({ address: string.optional(), type: z.enum(['1', '2', '3', '4', '5']).optional() })
          .optional(),
      }),
    )
    .min(1),
  source: z.strictObject({
    site: string.optional(),
    observer: reference,
    type: z.array(codingOf(terminology('security-source-type'), /^[1-9]$/)).optional(),
  }),
  entity: z
    .array(
      z
        .strictObject({
          what: reference.optional(),
          type: codingOf(terminology('audit-entity-type'), /^[1-4]$/).optional(),
          role: codingOf(terminology('object-role'), /^([1-9]|1[0-9]|2[0-4])$/).optional(),
          lifecycle: codingOf(terminology('dicom-audit-lifecycle'), /^([1-9]|1[0-5])$/).optional(),
          name: string.optional(),
          description: string.optional(),
          query: base64.optional(),
          detail: z.array(detail).min(1).optional(),
        })
        .refine((entity) => entity.name === undefined || entity.query === undefined), // sev-1
    )
    .optional(),
});
