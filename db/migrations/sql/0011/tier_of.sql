-- The plan whose limits an organization has: its own where it was given one, else that of its
-- subscription, else the default. NULL: no plans are known yet.
CREATE FUNCTION tier_of(p_organization uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT plan.tier
    FROM organizations organization
    LEFT JOIN subscriptions subscription ON subscription.organization_id = organization.id
    JOIN plans plan
        ON plan.tier IN (organization.tier, subscription.tier) OR plan.is_default
    WHERE organization.id = p_organization
    ORDER BY
        (plan.tier = organization.tier) IS TRUE DESC, (plan.tier = subscription.tier) IS TRUE DESC
    LIMIT 1
$$
