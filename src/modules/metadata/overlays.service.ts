import { Injectable } from '@nestjs/common';
import { Clock } from '../../platform/clock/clock.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { isDemographic } from './confidentiality.js';
import { effectiveAttributes, type EffectiveAttributes, missingRequired } from './effective.js';
import type { MetadataPatch } from './metadata-patch.js';
import { applyMergePatch, fitsOver, type Overlay } from './overlay.js';

/** What is shown over the tags, by the one who said it. */
export interface OrderOverlays {
  api?: Overlay;
  sidecar?: Overlay;
}

type OverlayOrigin = keyof OrderOverlays;
type Values = Overlay;

/** The overlays of orders. Orders are locked by the caller where two changes may meet. */
@Injectable()
export class OverlaysService {
  constructor(private readonly clock: Clock) {}

  /** What callers say: a merge patch over what they said before. @throws metadata_too_large */
  patch(tx: SqlTransaction, organizationId: string, orderId: string, patch: MetadataPatch): Promise<void> {
    return this.change(tx, organizationId, orderId, 'api', (present) => applyMergePatch(present, patch));
  }

  /** What came with the objects, over what came before; where both would be too much, what came last. */
  accompany(tx: SqlTransaction, organizationId: string, orderId: string, sidecar: Overlay): Promise<void> {
    return this.change(tx, organizationId, orderId, 'sidecar', (present) =>
      fitsOver(present, sidecar) ? applyMergePatch(present, sidecar) : sidecar,
    );
  }

  async ofOrders(
    tx: SqlTransaction,
    organizationId: string,
    orderIds: string[],
  ): Promise<Map<string, OrderOverlays>> {
    const rows = await tx.$queryRaw<{ orderId: string; origin: OverlayOrigin; attributes: Overlay }[]>`
      SELECT order_id AS "orderId", origin::text AS origin, attributes FROM order_overlay
      WHERE organization_id = ${organizationId}::uuid AND order_id = ANY (${orderIds}::uuid[])`;
    const overlays = new Map<string, OrderOverlays>();
    for (const { orderId, origin, attributes } of rows)
      overlays.set(orderId, { ...overlays.get(orderId), [origin]: attributes });
    return overlays;
  }

  /** What holds for an order: its overlays over the tags of its studies, the first that has one. */
  effective(overlays: OrderOverlays | undefined, tags: Values[]): EffectiveAttributes {
    const merged = Object.assign({}, ...tags.toReversed()) as Values;
    return effectiveAttributes({ ...overlays, tags: merged });
  }

  missing(required: readonly string[], attributes: EffectiveAttributes): string[] {
    return missingRequired(required, attributes);
  }

  /** Keywords the organization demands of every order. */
  async required(tx: SqlTransaction, organizationId: string): Promise<string[]> {
    const [row] = await tx.$queryRaw<{ keywords: string[] }[]>`
      SELECT required_metadata AS keywords FROM organization WHERE id = ${organizationId}::uuid`;
    return row?.keywords ?? [];
  }

  /** Whether an overlay of one of these orders says who the patient is: then an object's own bytes may name another. */
  async nameThePatient(tx: SqlTransaction, organizationId: string, orderIds: string[]): Promise<boolean> {
    const ofOrders = await this.ofOrders(tx, organizationId, orderIds);
    const overlays = [...ofOrders.values()].flatMap((origins) => Object.values(origins));
    return overlays.some((overlay) => Object.keys(overlay).some(isDemographic));
  }

  private async change(
    tx: SqlTransaction,
    organizationId: string,
    orderId: string,
    origin: OverlayOrigin,
    edit: (present: Overlay) => Overlay,
  ): Promise<void> {
    // The row lock makes the second of two changes read what the first one wrote.
    const [present] = await tx.$queryRaw<{ attributes: Overlay }[]>`
      SELECT attributes FROM order_overlay
      WHERE organization_id = ${organizationId}::uuid AND order_id = ${orderId}::uuid AND origin::text = ${origin} FOR UPDATE`;
    const edited = edit(present?.attributes ?? {});
    if (!present && Object.keys(edited).length === 0) return;
    const attributes = JSON.stringify(edited);
    await tx.$executeRaw`
      INSERT INTO order_overlay (organization_id, order_id, origin, attributes, updated_at)
      VALUES (${organizationId}::uuid, ${orderId}::uuid, ${origin}::overlay_origin, ${attributes}::jsonb,
              ${this.clock.now()}::timestamptz)
      ON CONFLICT (organization_id, order_id, origin) DO UPDATE
        SET attributes = excluded.attributes, updated_at = excluded.updated_at`;
  }
}
