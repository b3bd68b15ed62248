"""Short names for pod templates that stay the same between snapshots and processes."""

from hashlib import blake2b

from nodemix.optimizer.snapshot import PodTemplate


def digest(*templates: PodTemplate) -> str:
    """Eight hex digits that depend on the templates' content and order alone."""
    text = "\n".join(repr(template) for template in templates)
    return blake2b(text.encode(), digest_size=4).hexdigest()
