"""Prices in a ConfigMap."""

from nodemix.operator.api.pricebook import ConfigMapSource
from nodemix.operator.errors import ConnectionFailedError, PriceSourceError
from nodemix.operator.metrics.object_reader import ObjectReader
from nodemix.operator.prices.rows import PriceRows, rows_of_text


async def config_map_rows(source: ConfigMapSource, api: ObjectReader) -> PriceRows:
    """The offers under one key of a ConfigMap.

    Raises:
        PriceSourceError: it cannot be read, or lacks the key.
    """
    name = f"ConfigMap {source.namespace}/{source.name}"
    path = f"/api/v1/namespaces/{source.namespace}/configmaps/{source.name}"
    try:
        config_map = await api.get(path)
    except ConnectionFailedError as err:
        raise PriceSourceError(name, err.fact, "let nodemix get configmaps there") from err
    if config_map is None:
        raise PriceSourceError(name, "does not exist", "create it or correct spec.source")
    text = (config_map.get("data") or {}).get(source.key)
    if text is None:
        raise PriceSourceError(
            name, f"has no key {source.key!r}", "add it or correct spec.source.configMap.key"
        )
    return rows_of_text(text, f"{name} key {source.key}")
