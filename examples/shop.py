"""What the three services have in common: their operations."""

from aiowf import operations, tasks


def price_of(number: int) -> float:
    """Compute the price of an order; this runs in a pod."""
    return round(number * 1.19, 2)


def pricing(number: int) -> operations.DistributedSyncOperation[float]:
    """Return the operation that computes a price; its result is awaited."""
    return operations.DistributedSyncOperation(
        "price-", tasks.PythonTask("price", price_of, args=(number,))
    )


def report(month: str) -> operations.SingleTaskOperation[None]:
    """Return the operation that makes a report, which takes long, in an image of our own."""
    return operations.SingleTaskOperation(
        "report-", tasks.CustomTask("report", "shop-report", args=[month], retry_limit=3)
    )
