"""The gateway's network and its load balancer."""

from __future__ import annotations

from tests.aws.sample.writing import Resources

NETWORK: Resources = (
    ("network", "aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16", "enableDnsHostnames": True, "tags": {"Name": "llm"}}),
    ("gateway", "aws:ec2/internetGateway:InternetGateway", {"vpcId": "=network.id"}),
    ("routes", "aws:ec2/routeTable:RouteTable", {"vpcId": "=network.id"}),
    (
        "out",
        "aws:ec2/route:Route",
        {"routeTableId": "=routes.id", "destinationCidrBlock": "0.0.0.0/0", "gatewayId": "=gateway.id"},
    ),
    (
        "subnet-a",
        "aws:ec2/subnet:Subnet",
        {
            "vpcId": "=network.id",
            "cidrBlock": "10.0.0.0/20",
            "availabilityZone": "eu-central-1a",
            "mapPublicIpOnLaunch": True,
        },
    ),
    (
        "subnet-b",
        "aws:ec2/subnet:Subnet",
        {"vpcId": "=network.id", "cidrBlock": "10.0.16.0/20", "availabilityZone": "eu-central-1b"},
    ),
    (
        "association",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        {"routeTableId": "=routes.id", "subnetId": "=subnet-a.id"},
    ),
    (
        "endpoint",
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        {
            "vpcId": "=network.id",
            "serviceName": "com.amazonaws.eu-central-1.dynamodb",
            "vpcEndpointType": "Gateway",
            "routeTableIds": ["=routes.id"],
        },
    ),
    (
        "balancer-group",
        "aws:ec2/securityGroup:SecurityGroup",
        {"vpcId": "=network.id", "description": "Requests from the function"},
    ),
    (
        "function-group",
        "aws:ec2/securityGroup:SecurityGroup",
        {"vpcId": "=network.id", "description": "The gateway's function".replace("'", "")},
    ),
    (
        "into-balancer",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        {
            "securityGroupId": "=balancer-group.id",
            "referencedSecurityGroupId": "=function-group.id",
            "ipProtocol": "tcp",
            "fromPort": 80,
            "toPort": 80,
        },
    ),
    (
        "out-of-function",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        {"securityGroupId": "=function-group.id", "cidrIpv4": "0.0.0.0/0", "ipProtocol": "-1"},
    ),
    (
        "balancer",
        "aws:lb/loadBalancer:LoadBalancer",
        {
            "internal": True,
            "loadBalancerType": "application",
            "subnets": ["=subnet-a.id", "=subnet-b.id"],
            "securityGroups": ["=balancer-group.id"],
            "idleTimeout": 905,
        },
    ),
    (
        "listener",
        "aws:lb/listener:Listener",
        {
            "loadBalancerArn": "=balancer.arn",
            "port": 80,
            "protocol": "HTTP",
            "defaultActions": [
                {
                    "type": "fixed-response",
                    "fixedResponse": {
                        "contentType": "application/json",
                        "messageBody": '{"error": {"message": "no such run"}}',
                        "statusCode": "404",
                    },
                }
            ],
        },
    ),
)
