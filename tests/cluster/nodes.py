"""A Ray cluster of some nodes on this machine, each with one core: COUNT PORT [GPUS].

Prints "ready"; then "kill" on stdin ends a node and its workers at once, "add" adds one, and the
end of stdin ends all.
"""

import sys
import tempfile

from ray.cluster_utils import Cluster

STORE_BYTES = 80 * 2**20


def serve(count: int, port: int, gpus: int, folder: str) -> None:
    node = {"num_cpus": 1, "num_gpus": gpus, "object_store_memory": STORE_BYTES}
    head = node | {
        "ray_client_server_port": port, "include_dashboard": False, "temp_dir": folder,
    }  # fmt: skip
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
        serve(int(sys.argv[1]), int(sys.argv[2]), gpus_each, place)
