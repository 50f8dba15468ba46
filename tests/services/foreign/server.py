"""Health and reflection (v1alpha, the one it has) of Python's grpcio, and nothing else. Prints the
address and serves until it is ended.

The service "changing" goes from one state to the other, over and over.
"""

import itertools
import time
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

server = grpc.server(futures.ThreadPoolExecutor(max_workers=10))
states = health.HealthServicer()
states.set("", health_pb2.HealthCheckResponse.SERVING)
states.set("broken", health_pb2.HealthCheckResponse.NOT_SERVING)
health_pb2_grpc.add_HealthServicer_to_server(states, server)
reflection.enable_server_reflection([health.SERVICE_NAME, reflection.SERVICE_NAME], server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"listening on 127.0.0.1:{port}", flush=True)
for state in itertools.cycle([health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING]):
    states.set("changing", state)
    time.sleep(0.2)
