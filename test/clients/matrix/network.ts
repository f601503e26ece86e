import type { CommandList, Entry } from './list.ts'

const networks: Entry[] = [
  { run: 'network create --description first --dns-domain example.test. nn', keep: { NET: 'id' } },
  { run: 'network create --external --share --tag red nn-outside', keep: { OUT: 'id' } },
  { run: 'network list --long --name nn', shows: /nn/ },
  { run: 'network list --external', shows: /nn-outside/ },
  { run: 'network list --tags red', shows: /nn-outside/ },
  { run: 'network set --name nnx --mtu 1400 --tag blue nn' },
  { run: 'network unset --tag blue nnx' },
  { run: 'network show nnx -f json', shows: /"mtu": 1400/ },
  { run: 'subnet pool create --pool-prefix 10.90.0.0/16 --default-prefix-length 26 np', keep: { POOL: 'id' } },
  { run: 'subnet pool set --description d --tag red np' },
  { run: 'subnet pool unset --tag red np' },
  { run: 'subnet pool list --long', shows: /np/ },
  { run: 'subnet pool show np', shows: /10\.90\.0\.0/ },
  { run: 'subnet create --network nnx --subnet-pool np --dns-nameserver 192.0.2.53 ns', keep: { SUBNET: 'id' } },
  { run: 'subnet create --network nn-outside --subnet-range 198.51.100.0/24 --no-dhcp ns-outside' },
  { run: 'subnet set --description d --host-route destination=10.1.0.0/16,gateway=10.90.0.1 --tag red ns' },
  { run: 'subnet unset --dns-nameserver 192.0.2.53 --tag red ns' },
  { run: 'subnet list --network nnx', shows: /10\.90\./ },
  { run: 'subnet show ns', shows: /10\.1\.0\.0/ },
  { run: 'address scope create --ip-version 4 nas', keep: { SCOPE: 'id' } },
  { run: 'address scope set --name nasx nas' },
  { run: 'address scope list', shows: /nasx/ },
  { run: 'address scope show nasx' },
  { run: 'ip availability list', shows: /nnx/ },
  { run: 'ip availability show nnx', shows: /total_ips/ },
]

const ports: Entry[] = [
  {
    run: 'port create --network nnx --fixed-ip subnet=ns,ip-address=10.90.0.40 --dns-name web --description d nport',
    keep: { PORT: 'id' },
  },
  { run: 'port set --name nportx --tag red --allowed-address ip-address=10.90.0.60 nport' },
  { run: 'port set --extra-dhcp-option name=tftp-server,value=192.0.2.9 nportx' },
  { run: 'port unset --tag red --allowed-address ip-address=10.90.0.60 nportx', refused: /./, why: 'needs the MAC' },
  { run: 'port unset --tag red nportx' },
  { run: 'port list --network nnx --long', shows: /nportx/ },
  { run: 'port show nportx', shows: /web\.example\.test\./ },
]

const routing: Entry[] = [
  { run: 'router create --description d nr', keep: { ROUTER: 'id' } },
  { run: 'router add subnet nr ns' },
  { run: 'router set --external-gateway nn-outside --name nrx nr' },
  { run: 'router add route --route destination=10.2.0.0/16,gateway=10.90.0.20 nrx' },
  { run: 'router remove route --route destination=10.2.0.0/16,gateway=10.90.0.20 nrx' },
  { run: 'router list --long', shows: /nrx/ },
  { run: 'router show nrx', shows: /nn-outside|external_fixed_ips/ },
  { run: 'floating ip create --description d nn-outside', keep: { FIP: 'id' } },
  {
    run: 'floating ip port forwarding create --internal-ip-address 10.90.0.40 --port nportx --internal-protocol-port 22 --external-protocol-port 2222 --protocol tcp {FIP}',
    keep: { PF: 'id' },
  },
  { run: 'floating ip port forwarding list {FIP}', shows: /2222/ },
  { run: 'floating ip port forwarding set --description d {FIP} {PF}' },
  { run: 'floating ip port forwarding show {FIP} {PF}', shows: /2222/ },
  { run: 'floating ip port forwarding delete {FIP} {PF}' },
  { run: 'floating ip set --port nportx {FIP}' },
  { run: 'floating ip list --network nn-outside', shows: /198\.51\.100\./ },
  { run: 'floating ip show {FIP}', shows: /nrx|router_id/ },
  { run: 'floating ip unset --port {FIP}' },
  { run: 'floating ip delete {FIP}' },
  { run: 'floating ip pool list', refused: /./, why: 'a command for nova-network' },
  { run: 'router unset --external-gateway nrx' },
  { run: 'router remove subnet nrx ns' },
  { run: 'port create --network nnx nport2' },
  { run: 'router add port nrx nport2' },
  { run: 'router remove port nrx nport2' },
]

const groups: Entry[] = [
  { run: 'address group create --address 192.0.2.0/24 nag', keep: { AG: 'id' } },
  { run: 'address group set --address 198.51.100.0/24 --description d nag' },
  { run: 'address group unset --address 192.0.2.0/24 nag' },
  { run: 'address group list', shows: /nag/ },
  { run: 'address group show nag', shows: /198\.51\.100/ },
  { run: 'security group create --stateless ng', keep: { SG: 'id' } },
  { run: 'security group set --description d --tag red ng' },
  { run: 'security group unset --tag red ng' },
  {
    run: 'security group rule create --protocol tcp --dst-port 22 --remote-address-group nag ng',
    keep: { RULE: 'id' },
  },
  { run: 'security group rule list ng', shows: /22:22/ },
  { run: 'security group rule show {RULE}', shows: /{AG}|remote_address_group/ },
  { run: 'security group rule delete {RULE}' },
  { run: 'security group list', shows: /ng/ },
  { run: 'security group show ng' },
  {
    run: 'network rbac create --type security_group --action access_as_shared --target-project demo ng',
    keep: { RBAC: 'id' },
  },
  { run: 'network rbac set --target-project service {RBAC}' },
  { run: 'network rbac list --type security_group', shows: /{RBAC}|security_group/ },
  { run: 'network rbac show {RBAC}' },
  { run: 'network rbac delete {RBAC}' },
]

const quality: Entry[] = [
  { run: 'network qos policy create --description d nq', keep: { QOS: 'id' } },
  { run: 'network qos policy set --share nq' },
  { run: 'network qos rule create --type bandwidth-limit --max-kbps 1000 --egress nq', keep: { QRULE: 'id' } },
  { run: 'network qos rule set --max-kbps 2000 nq {QRULE}' },
  { run: 'network qos rule list nq', shows: /2000/ },
  { run: 'network qos rule show nq {QRULE}' },
  { run: 'network qos rule type list', shows: /dscp_marking/ },
  { run: 'network qos rule type show bandwidth_limit' },
  { run: 'port set --qos-policy nq nportx' },
  { run: 'port unset --qos-policy nportx' },
  { run: 'network qos policy list', shows: /nq/ },
  { run: 'network qos policy show nq', shows: /2000/ },
  { run: 'network qos rule delete nq {QRULE}' },
  { run: 'network qos policy delete nq' },
  { run: 'network meter create --description d nm', keep: { METER: 'id' } },
  { run: 'network meter rule create --remote-ip-prefix 192.0.2.0/24 --egress nm', keep: { MRULE: 'id' } },
  { run: 'network meter rule list', shows: /192\.0\.2/ },
  { run: 'network meter rule show {MRULE}' },
  { run: 'network meter rule delete {MRULE}' },
  { run: 'network meter list', shows: /nm/ },
  { run: 'network meter show nm' },
  { run: 'network meter delete nm' },
]

const operators: Entry[] = [
  { run: 'network agent list --agent-type l3 -f json', keep: { AGENT: 'ID' }, shows: /L3 agent/ },
  { run: 'network agent set --description d {AGENT}' },
  { run: 'network agent show {AGENT}', shows: /L3 agent/ },
  { run: 'network agent remove router --l3 {AGENT} nrx', withinSeconds: 20 },
  { run: 'network agent add router --l3 {AGENT} nrx' },
  { run: 'network agent delete {AGENT}' },
  {
    run: 'network agent add network --dhcp {AGENT} nnx',
    absent: /./,
    why: 'every host that carries a network answers its DHCP',
  },
  {
    run: 'network agent remove network --dhcp {AGENT} nnx',
    absent: /./,
    why: 'every host that carries a network answers its DHCP',
  },
  { run: 'network service provider list', shows: /L3_ROUTER_NAT/ },
  { run: 'network auto allocated topology create --check-resources', shows: /dry_run/ },
  { run: 'network auto allocated topology create' },
  { run: 'network auto allocated topology delete' },
]

const absent = (commands: readonly string[], why: string): Entry[] => commands.map((run) => ({ run, absent: /./, why }))

const later: Entry[] = [
  ...absent(
    [
      ...['local ip list', 'local ip create', 'local ip set x', 'local ip show x', 'local ip delete x'],
      ...['local ip association list x', 'local ip association create x y', 'local ip association delete x y'],
    ],
    'no local IPs',
  ),
  ...absent(
    [
      ...[
        'network flavor list',
        'network flavor create --service-type L3_ROUTER_NAT x',
        'network flavor set x --name y',
      ],
      ...['network flavor show x', 'network flavor delete x', 'network flavor add profile x y'],
      ...['network flavor remove profile x y', 'network flavor profile list'],
      ...['network flavor profile create --driver x', 'network flavor profile set x --description y'],
      ...['network flavor profile show x', 'network flavor profile delete x'],
    ],
    'one provider of routers, so nothing to choose',
  ),
  ...absent(
    [
      'network l3 conntrack helper list {ROUTER}',
      'network l3 conntrack helper create --helper tftp --protocol udp --port 69 {ROUTER}',
      'network l3 conntrack helper set {ROUTER} x --port 70',
      'network l3 conntrack helper show {ROUTER} x',
      'network l3 conntrack helper delete {ROUTER} x',
    ],
    'no conntrack helpers',
  ),
  ...absent(
    [
      ...['network segment list', 'network segment create --network nnx --network-type vxlan x'],
      ...['network segment set x --name y', 'network segment show x', 'network segment delete x'],
      ...['network segment range list', 'network segment range set x --name y', 'network segment range show x'],
      'network segment range create --network-type vxlan --minimum 1 --maximum 2 x',
      'network segment range delete x',
    ],
    'a network is one segment',
  ),
]

const taking: Entry[] = [
  { run: 'port delete nportx' },
  { run: 'router delete nrx' },
  { run: 'subnet delete ns ns-outside' },
  { run: 'subnet pool delete np' },
  { run: 'address scope delete nasx' },
  { run: 'network delete nnx nn-outside' },
  { run: 'security group delete ng' },
  { run: 'address group delete nag' },
]

export const list: CommandList = {
  service: 'network',
  title: 'Network',
  groups: ['openstack.network.v2'],
  entries: [...networks, ...ports, ...routing, ...groups, ...quality, ...operators, ...later, ...taking],
}
