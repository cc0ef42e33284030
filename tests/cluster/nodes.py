"""A Ray cluster of some nodes on this machine, each with one core: COUNT PORT [GPUS].

Prints "ready"; then "kill" on stdin ends a node and its workers at once, "add" adds one, and the
end of stdin ends all.
"""

import os
import sys
import tempfile

STORE_BYTES = 80 * 2**20


def serve(count: int, port: int, gpus: int) -> None:
    from ray.cluster_utils import Cluster  # once RAY_TMPDIR is set

    node = {"num_cpus": 1, "num_gpus": gpus, "object_store_memory": STORE_BYTES}
    head = node | {"ray_client_server_port": port, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(**node) for _ in range(count - 1)]
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "kill":
            cluster.remove_node(nodes.pop(), allow_graceful=False)
        else:
            nodes.append(cluster.add_node(**node))
        print("done", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    gpus_each = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    with tempfile.TemporaryDirectory(prefix="vq-ray-", ignore_cleanup_errors=True) as place:
        os.environ["RAY_TMPDIR"] = place
        serve(int(sys.argv[1]), int(sys.argv[2]), gpus_each)
