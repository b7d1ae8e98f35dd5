/** Decides whether a user belongs to a tenant; anything but `true` is a no. */
export type Membership = (userId: string, tenantId: string) => boolean | Promise<boolean>;

/** Whether somebody may enter a tenant. An error of the callback is a no. */
export async function isMember(membership: Membership | null, userId: string, tenantId: string): Promise<boolean> {
  try {
    return (await membership?.(userId, tenantId)) === true;
  } catch {
    return false;
  }
}

/**
 * Whether a credential may stay in its tenant: asked at the minute's check, so that who is no member any more is out within a minute.
 * A callback that throws leaves it open, as an unreachable store does: nothing is written, and the next use asks again.
 */
export async function mayStay(
  membership: Membership | null,
  { userId, tenantId }: { readonly userId: string; readonly tenantId: string | null },
): Promise<boolean> {
  return tenantId === null || membership === null || (await membership(userId, tenantId)) === true;
}
